package rest

import (
	"context"
	"slices"
	"sync"
)

// recovery is after how many good calls in a row the gate opens by one.
const recovery = 10

// gate lets a bounded number of calls through at once. The bound halves when
// Confluence refuses for rate and grows back one by one.
type gate struct {
	mu      sync.Mutex
	width   int // configured
	limit   int // now
	inside  int
	good    int // since the last change of limit
	waiting []chan struct{}
}

func newGate(width int) *gate { return &gate{width: width, limit: width} }

func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.inside < g.limit && len(g.waiting) == 0 {
		g.inside++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, turn); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else { // the turn came at the same moment: pass it on
		g.inside--
		g.admit()
	}
	return ctx.Err()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.admit()
}

func (g *gate) admit() {
	for g.inside < g.limit && len(g.waiting) > 0 {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.inside++
	}
}

func (g *gate) adapt(refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if refused {
		g.limit, g.good = max(1, g.limit/2), 0
		return
	}
	if g.good++; g.good >= recovery && g.limit < g.width {
		g.limit, g.good = g.limit+1, 0
		g.admit()
	}
}
