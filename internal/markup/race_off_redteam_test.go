//go:build !race

package markup_test

// raceFactor is how much slower and larger the race detector makes things.
const raceFactor = 1
