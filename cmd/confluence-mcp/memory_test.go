package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/assert"
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
	eventually(t, func() bool { return pace() == 110 })
}
