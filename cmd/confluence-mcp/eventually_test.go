package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How long a condition may take that claims nothing of time, on a slow machine
// that does other things too, and how often it is looked at: a payer has 50
// requests a second, and those of the test itself count.
const (
	patience = time.Minute
	tick     = 50 * time.Millisecond
)

// eventually asks until the condition holds. It asks on the goroutine of the
// test, so what the condition requires ends the test and says why.
func eventually(t testing.TB, cond func() bool, about ...any) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); <-time.After(tick) {
		if time.Now().After(deadline) {
			require.Fail(t, "it never came true", about...)
		}
	}
}
