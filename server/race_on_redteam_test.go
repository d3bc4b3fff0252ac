//go:build race

package server_test

// raceFactor is how much slower the race detector makes things.
const raceFactor = 10
