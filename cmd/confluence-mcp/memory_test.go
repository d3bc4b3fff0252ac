package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func pace() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Only the first collection is later than usual, and only for those who chose
// no pace themselves.
func TestOnlyTheFirstCollectionIsLate(t *testing.T) {
	before := debug.SetGCPercent(110)
	defer debug.SetGCPercent(before)
	collectLater("110")
	assert.EqualValues(t, 110, pace())
	collectLater("")
	assert.EqualValues(t, 250, pace())
	runtime.GC()
	require.Eventually(t, func() bool { return pace() == 110 }, 10*time.Second, time.Millisecond)
}
