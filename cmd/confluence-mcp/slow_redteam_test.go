package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// Rounds of the comparison: each is as many calls without slow clients as with
// them. The bar is a fifth more for the slowest of a hundred calls, of what it
// was a moment ago: a machine that does other things makes that figure larger in
// a round, so rounds are added until one meets the bar, up to a number after
// which it is a finding. Below the floor a fifth is less than what a scheduler
// adds to anything.
const (
	slowClients = 500
	callers     = 20 // each has a rate of its own
	callsARound = 200
	mostRounds  = 15
	floor       = 5 * time.Millisecond
)

// TestA06_SlowClientsDisturbNobody: 500 connections that send a byte a second
// leave the p99 of a healthy caller within a fifth of what it is without them,
// and are closed within ten seconds.
func TestA06_SlowClientsDisturbNobody(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	keys, agents := make([]string, callers), make([]string, callers)
	for i := range keys {
		keys[i] = fmt.Sprintf("cmk_healthy-caller-%02d", i)
		agents[i] = fmt.Sprintf("  - {name: healthy%d, key_hash: \"sha256:%x\", profile: read-only, identity: {integration: default, user: bot@acme.test}}\n", i, sha256.Sum256([]byte(keys[i])))
	}
	p, _ := process(t, site.URL, agents...)
	healthy := func() []time.Duration {
		times := make([]time.Duration, callsARound)
		for i := range times {
			at := time.Now()
			got := p.call(keys[i%callers], "get_space", map[string]any{"space_key": "ENG"})
			times[i] = time.Since(at)
			assert.False(t, got.tool(t).IsError, got.body)
		}
		return times
	}
	var slow *crowd
	for round := 1; ; round++ {
		healthy() // what came before is over: the start, the end of the last crowd
		quiet := healthy()
		slow = p.crowd()
		healthy() // while they connect, which slow clients do as fast as others
		disturbed := healthy()
		within := func(figure func([]time.Duration) time.Duration) bool {
			return figure(disturbed) <= max(figure(quiet), floor)*6/5
		}
		t.Logf("round %d: p99 of %d calls %s, with %d slow clients %s (median %s and %s)",
			round, callsARound, p99(quiet), slowClients, p99(disturbed), middle(quiet), middle(disturbed))
		if within(p99) && within(middle) { // a quiet half that was disturbed by something else proves less
			break
		}
		require.Less(t, round, mostRounds, "slow clients disturb a healthy one")
		slow.leave()
	}
	longest := slow.outlast()
	t.Logf("the longest slow connection lived %s", longest)
	assert.LessOrEqual(t, longest, 10*time.Second)
}

func p99(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)*99/100]
}

// crowd is many connections that trickle bytes.
type crowd struct {
	conns   []net.Conn
	open    sync.WaitGroup
	mu      sync.Mutex
	longest time.Duration // one was open
}

// crowd opens the connections; half are slow in the header of a request, half
// in the body of an authenticated one.
func (p *product) crowd() *crowd {
	c := &crowd{}
	for i := range slowClients {
		beat := time.Second * time.Duration(i) / slowClients // no two clients of the world are in step
		conn := p.dial()
		c.conns = append(c.conns, conn)
		start := "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		if i%2 == 0 {
			start += "Authorization: Bearer " + annKey + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
		}
		c.open.Go(func() {
			at := time.Now()
			trickle(conn, start, beat)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.longest = max(c.longest, time.Since(at))
		})
	}
	return c
}

// leave closes the connections from this end.
func (c *crowd) leave() {
	for _, conn := range c.conns {
		_ = conn.Close() // the server may have been first
	}
	c.open.Wait()
}

// outlast waits until the server has closed them all.
func (c *crowd) outlast() time.Duration {
	c.open.Wait()
	return c.longest
}

// trickle sends one byte a second until the connection is closed, the first
// after beat.
func trickle(conn net.Conn, start string, beat time.Duration) {
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(start)); err != nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		buf := make([]byte, 1024)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	next := time.NewTimer(beat)
	defer next.Stop()
	for {
		select {
		case <-closed:
			return
		case <-next.C:
			next.Reset(time.Second)
			if _, err := conn.Write([]byte("X")); err != nil {
				<-closed
				return
			}
		}
	}
}
