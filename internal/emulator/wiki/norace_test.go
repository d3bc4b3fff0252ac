//go:build !race

package wiki_test

// corpusPages is how much of the corpus the test takes: all of it.
const corpusPages = 2465
