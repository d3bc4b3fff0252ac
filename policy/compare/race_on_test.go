//go:build race

package compare_test

// pairs is smaller under the race detector, which makes each ten times as
// slow; the full number runs without it.
const pairs = 50
