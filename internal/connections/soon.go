package connections

import (
	"context"
	"time"
)

// A page that was written here is read soon, where a pass is cheap: agents look
// for what they wrote. Where one costs more, it is found after the next pass.
const (
	quiet     = 3 * time.Second  // after the last write
	cheapPass = 10 * time.Second // how long the last pass may have taken
)

// Wrote hears of a page that was written through this server. It does not wait.
func (s *Set) Wrote(integration int64, _ string) {
	c, err := s.byID(integration)
	if err != nil {
		return
	}
	if f := c.fill(); f != nil {
		select {
		case f.wrote <- struct{}{}:
		default: // it is known already
		}
	}
}

// soon makes a pass after writes, until ctx ends.
func (f *filling) soon(ctx context.Context) {
	pause := time.NewTimer(quiet)
	pause.Stop()
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wrote:
			pause.Reset(quiet)
		case <-pause.C:
			if f.sync.Status().Last.Took < cheapPass {
				_, _ = f.sync.Now(ctx, false, nil) // how it went is in its status
			}
		}
	}
}
