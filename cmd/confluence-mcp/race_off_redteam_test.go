//go:build !race

package main

// raceFactor is how much slower and larger the race detector makes things.
const raceFactor = 1
