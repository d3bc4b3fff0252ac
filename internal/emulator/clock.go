package emulator

import (
	"sync/atomic"
	"time"
)

// clock is the injected clock plus what apply lines have advanced it by.
type clock struct {
	base   func() time.Time
	offset atomic.Int64
}

func (c *clock) now() time.Time { return c.base().Add(time.Duration(c.offset.Load())) }

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }
