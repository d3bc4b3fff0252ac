//go:build !race

package policy_test

const (
	underRace    = false
	explainCases = 100_000
)
