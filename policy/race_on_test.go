//go:build race

package policy_test

// explainCases is smaller under the race detector, which makes each ten times
// as slow; the full number runs without it.
const explainCases = 5_000

const underRace = true
