package rest

// Inside the package because the gate and the body watch have no outside.

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drip gives one byte per step of time until it is closed.
type drip struct {
	step   time.Duration
	closed chan struct{}
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-d.closed:
		return 0, errors.New("closed")
	case <-time.After(d.step):
		return copy(p, "x"), nil
	}
}

func (d *drip) Close() error { close(d.closed); return nil }

func TestTrickleEndsAfterOneIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		body := newSteadyBody(&drip{step: time.Second, closed: make(chan struct{})}, 15*time.Second)
		_, err := io.ReadAll(body)
		require.ErrorIs(t, err, errIdle)
		assert.Equal(t, 15*time.Second, time.Since(start))
	})
}

func TestSlowReaderIsNotAnIdleBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := newSteadyBody(io.NopCloser(strings.NewReader(strings.Repeat("x", 4*progress))), 15*time.Second)
		buf := make([]byte, progress)
		for range 4 {
			_, err := io.ReadFull(body, buf)
			require.NoError(t, err)
			<-time.After(time.Minute)
		}
		require.NoError(t, body.Close())
	})
}

func TestGateHalvesAndRecovers(t *testing.T) {
	g := newGate(5)
	g.adapt(true)
	assert.Equal(t, 2, g.limit)
	g.adapt(true)
	g.adapt(true)
	assert.Equal(t, 1, g.limit, "one call always passes")
	for range 4 * recovery {
		g.adapt(false)
	}
	assert.Equal(t, 5, g.limit)
	for range 4 * recovery {
		g.adapt(false)
	}
	assert.Equal(t, 5, g.limit, "never wider than configured")
}

func TestGateForgetsWhoGaveUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		require.NoError(t, g.enter(t.Context()))
		gone, cancel := context.WithCancel(t.Context())
		waited := make(chan error)
		go func() { waited <- g.enter(gone) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-waited, context.Canceled)
		next := make(chan error)
		go func() { next <- g.enter(t.Context()) }()
		synctest.Wait()
		g.leave()
		require.NoError(t, <-next)
		assert.Equal(t, 1, g.inside)
		g.leave()
		assert.Zero(t, g.inside)
		assert.Empty(t, g.waiting)
	})
}
