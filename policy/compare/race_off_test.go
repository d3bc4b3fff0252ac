//go:build !race

package compare_test

const pairs = 1000
