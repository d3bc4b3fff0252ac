//go:build !race

package reload_test

const swaps = 10_000
