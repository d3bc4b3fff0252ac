//go:build !race

package index_test

// raceFactor is how much slower the race detector makes things.
const raceFactor = 1
