package retrieve

import (
	"context"
	"time"
)

// beat is when answers of nothing are given: at multiples of it. A word that
// stands only in pages the caller may not see takes the index longer than one
// that stands nowhere, a hidden space longer than none, by what is hidden; up to
// this long nobody can tell. An answer that shows something is not held back:
// what hidden pages add to its time is little beside the time of what it shows.
const beat = 10 * time.Millisecond

// onTheBeat waits for the next beat; beats began with the question.
func onTheBeat(ctx context.Context, beats *time.Ticker) {
	select {
	case <-beats.C: // one that has passed
	default:
	}
	select {
	case <-beats.C:
	case <-ctx.Done():
	}
}
