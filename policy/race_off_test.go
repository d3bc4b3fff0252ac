//go:build !race

package policy_test

const explainCases = 100_000
