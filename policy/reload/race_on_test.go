//go:build race

package reload_test

// swaps is smaller under the race detector, which makes each ten times as
// slow; the full number runs without it.
const swaps = 1_000
