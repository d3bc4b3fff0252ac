package confluence

import (
	"context"
	"time"
)

// Pause is how clients wait before they ask again: for a time, or until the
// context ends, which is then the error.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
