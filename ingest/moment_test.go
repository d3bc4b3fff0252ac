package ingest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/store/guard"
)

// atEveryMoment makes passes in which the site changes before the n-th request,
// for every n or, unless thorough, every ninth: prepared before each, changed
// within.
func atEveryMoment(t *testing.T, prepare, change []string) {
	t.Helper()
	b, p := proxied(t)
	b.pass(true)
	b.registered()
	b.Apply(prepare...)
	p.script(nil, nil)
	b.pass(false)
	calls, step := p.count()+6, 9
	if *thorough {
		step = 1
	}
	for at := 1; at <= calls; at += step {
		b.Apply(prepare...)
		b.pass(false)
		b.pass(false)
		h := b.newHistory()
		p.script(func(n int, _ *http.Request) {
			if n == at {
				b.Apply(change...)
				h.record()
			}
			require.Empty(t, h.check(), "changed before request %d, seen before request %d", at, n)
		}, nil)
		b.pass(at%2 == 0)
		require.Empty(t, h.check(), "changed before request %d", at)
		p.script(nil, nil)
		b.pass(false)
		b.neverMore()
		if t.Failed() {
			return
		}
	}
	b.pass(false)
	b.clean()
}

// Row 26: a page moves to another space, whose rights count for it and not
// those it came from.
func TestFaultRow26APageMovesToAnotherSpace(t *testing.T) {
	const page = `{"kind":"content","id":"1005","type":"page","space":"%s","parent":"%s","title":"Shared","version":%d,"storage":"<p>Words %d.</p>"}`
	t.Run("into a stricter one", func(t *testing.T) {
		atEveryMoment(t, []string{`{"kind":"space","id":"200","grants":[{"to":"user:u-bot","op":"read"},{"to":"group:hr","op":"read"}]}`, line(page, "ENG", "1000", 5, 5)},
			[]string{line(page, "HR", "2000", 6, 6)})
	})
	t.Run("into a laxer one", func(t *testing.T) {
		atEveryMoment(t, []string{line(page, "HR", "2000", 5, 5)}, []string{line(page, "S2", "3000", 6, 6)})
	})
}

// Row 27: a parent is restricted after its child was read, while the child's own
// restriction is lifted: at no moment could everybody see the child.
func TestFaultRow27AParentIsRestrictedMeanwhile(t *testing.T) {
	t.Run("and the child is opened", func(t *testing.T) {
		atEveryMoment(t, []string{`{"kind":"content","id":"1002","read":[]}`, `{"kind":"content","id":"1003","read":["group:B"]}`},
			[]string{`{"kind":"content","id":"1002","read":["group:A"]}`, `{"kind":"content","id":"1003","read":[]}`})
	})
	t.Run("and a child with a secret is made", func(t *testing.T) {
		atEveryMoment(t, []string{`{"kind":"content","id":"1002","read":[]}`, `{"kind":"content","id":"1099","type":"page","space":"ENG","parent":"1002","title":"x","version":1,"storage":"<p>x</p>"}`, `{"kind":"delete","id":"1099"}`},
			[]string{`{"kind":"content","id":"1002","read":["group:A"]}`, `{"kind":"content","id":"1099","type":"page","space":"ENG","parent":"1002","title":"Secret","version":1,"storage":"<p>Secret.</p>"}`})
	})
	t.Run("and a page is written below it that stood elsewhere", func(t *testing.T) {
		const page = `{"kind":"content","id":"1006","parent":"%s","version":%d,"storage":"<p>Words %d.</p>"}`
		atEveryMoment(t, []string{`{"kind":"content","id":"1002","read":[]}`, line(page, "1000", 5, 5)},
			[]string{`{"kind":"content","id":"1002","read":["group:A"]}`, line(page, "1002", 6, 6)})
	})
}

// Row 27, for a page that has changed already: between its listing and its words
// it comes below a page that is restricted before, by itself or with what it
// stands under.
func TestFaultRow27WhatWasWrittenBehindAMove(t *testing.T) {
	for name, c := range map[string]struct{ page, below, moves string }{
		"the page":        {"1006", "1000", "1006"},
		"a page above it": {"1001", "1006", "1006"},
		"its folder":      {"1011", "1010", "1010"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t)
			b := newBox(t, nil, p.through, func(c *ingest.Config, _ *rest.Config) { c.Integration.Opaque = guard.TrustOpaque })
			written := func(version int) string {
				return line(`{"kind":"content","id":"%s","version":%d,"storage":"<p>Words %d.</p>"}`, c.page, version, version)
			}
			b.Apply(`{"kind":"content","id":"1002","read":[]}`, line(`{"kind":"content","id":"%s","parent":"%s"}`, c.page, c.below))
			b.pass(true)
			b.registered()
			require.True(t, b.sees("u-bob", c.page))
			b.Apply(written(5))
			h := b.newHistory()
			var once sync.Once
			p.script(func(_ int, r *http.Request) {
				if r.URL.Query().Get("body-format") == "" {
					return
				}
				once.Do(func() {
					b.Apply(`{"kind":"content","id":"1002","read":["group:A"]}`, line(`{"kind":"content","id":"%s","parent":"1002"}`, c.moves), written(6))
					h.record()
				})
			}, nil)
			b.pass(false)
			require.Empty(t, h.check())
			p.script(nil, nil)
			b.pass(false)
			require.False(t, b.sees("u-bob", c.page))
			require.True(t, b.sees("u-ann", c.page), "who may see it sees it after the next pass")
		})
	}
}

// leavesOut takes a page out of every listing of its space.
func leavesOut(t *testing.T, id string) func(int, *http.Request, []byte) []byte {
	return func(_ int, r *http.Request, body []byte) []byte {
		if !strings.HasSuffix(r.URL.Path, "/spaces/100/pages") {
			return body
		}
		var l map[string]any
		require.NoError(t, json.Unmarshal(body, &l))
		l["results"] = slices.DeleteFunc(l["results"].([]any), func(row any) bool { return row.(map[string]any)["id"] == id })
		out, err := json.Marshal(l)
		require.NoError(t, err)
		return out
	}
}

// A page that a listing left out and that is there was read once: what restricts
// it gets laxer when the next pass has read it too.
func TestAPageTheListingLeftOut(t *testing.T) {
	t.Run("is opened", func(t *testing.T) {
		b, p := proxied(t)
		b.Apply(`{"kind":"content","id":"1001","read":["group:A"]}`)
		b.pass(true)
		b.registered()
		b.Apply(`{"kind":"content","id":"1001","read":[]}`)
		p.script(nil, leavesOut(t, "1001"))
		b.pass(false)
		require.True(t, b.sees("u-ann", "1001"), "it is kept")
		require.False(t, b.sees("u-bob", "1001"), "it was read once")
		b.pass(false)
		require.True(t, b.sees("u-bob", "1001"), "the listing leaves it out for ever, and it was read twice")
		p.script(nil, nil)
		b.pass(false)
		b.clean()
	})
	t.Run("is moved below a page that is restricted before", func(t *testing.T) {
		b, p := proxied(t)
		b.Apply(`{"kind":"content","id":"1001","parent":"1002"}`)
		b.pass(true)
		b.registered()
		h := b.newHistory()
		var once sync.Once
		p.script(func(_ int, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/pages/1001") {
				once.Do(func() {
					b.Apply(`{"kind":"content","id":"1006","read":["group:A"]}`, `{"kind":"content","id":"1001","parent":"1006"}`)
					h.record()
				})
			}
		}, leavesOut(t, "1001"))
		b.pass(false)
		require.Empty(t, h.check())
		p.script(nil, nil)
		b.pass(false)
		b.clean()
	})
}
