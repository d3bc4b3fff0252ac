//go:build race

package wiki_test

// corpusPages is how much of the corpus the test takes: the race detector
// makes the Markdown parser forty times slower.
const corpusPages = 300
