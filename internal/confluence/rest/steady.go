package rest

import (
	"errors"
	"io"
	"sync"
	"time"
)

// errIdle is the cause of a body that stopped coming.
var errIdle = errors.New("the answer stopped coming")

// progress is how many bytes must come within one idle timeout; a trickle of
// single bytes does not count as an answer that comes.
const progress = 1 << 10

// steadyBody closes a body that makes no progress for a while, so that a slow
// or dead peer holds one reader for one timeout only.
type steadyBody struct {
	body  io.ReadCloser
	idle  time.Duration
	timer *time.Timer
	since int // bytes since the timer was started

	mu      sync.Mutex
	expired bool
}

func newSteadyBody(body io.ReadCloser, idle time.Duration) *steadyBody {
	s := &steadyBody{body: body, idle: idle}
	s.timer = time.AfterFunc(idle, s.expire)
	s.timer.Stop() // runs while somebody reads
	return s
}

func (s *steadyBody) expire() {
	s.mu.Lock()
	s.expired = true
	s.mu.Unlock()
	_ = s.body.Close() // wakes the reader, which reports errIdle
}

func (s *steadyBody) Read(p []byte) (int, error) {
	if s.since == 0 {
		s.timer.Reset(s.idle)
	}
	n, err := s.body.Read(p)
	if s.since += n; s.since >= progress {
		s.since = 0
		s.timer.Stop() // a reader may take its time between two reads
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.expired {
			err = errIdle
		}
	}
	return n, err
}

func (s *steadyBody) Close() error {
	s.timer.Stop()
	return s.body.Close()
}
