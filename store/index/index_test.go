package index_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// pages is a mirror in memory: pages by node and a log of their changes.
type pages struct {
	mu      sync.Mutex
	of      map[uint32]mirror.Page
	changes []mirror.Change
	trimmed int64
	seq     int64
	failing error
}

func newPages(of ...mirror.Page) *pages {
	p := &pages{of: map[uint32]mirror.Page{}}
	p.put(of...)
	return p
}

func (p *pages) put(of ...mirror.Page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range of {
		p.of[one.Index] = one
		p.seq++
		p.changes = append(p.changes, mirror.Change{Seq: p.seq, Index: one.Index})
	}
}

func (p *pages) remove(of ...uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, idx := range of {
		delete(p.of, idx)
		p.seq++
		p.changes = append(p.changes, mirror.Change{Seq: p.seq, Index: idx, Deleted: true})
	}
}

func (p *pages) Changes(_ context.Context, after int64, limit int) ([]mirror.Change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []mirror.Change
	for _, c := range p.changes {
		if c.Seq > after && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, p.failing
}

func (p *pages) Page(_ context.Context, idx uint32) (mirror.Page, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.of[idx]
	return one, ok, p.failing
}

func (p *pages) All(_ context.Context, after uint32, limit int) ([]mirror.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []uint32
	for k := range p.of {
		if k > after {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []mirror.Page
	for _, k := range keys[:min(len(keys), limit)] {
		out = append(out, p.of[k])
	}
	return out, p.failing
}

func (p *pages) Range(context.Context) (before, last int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trimmed, p.seq, p.failing
}

func (p *pages) Trim(_ context.Context, upTo int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trimmed = upTo
	p.changes = slices.DeleteFunc(p.changes, func(c mirror.Change) bool { return c.Seq <= upTo })
	return nil
}

func noon() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

func page(idx uint32, title, text string, labels ...string) mirror.Page {
	p := mirror.Page{Index: idx, Integration: 1, Labels: labels, Text: text}
	p.Title, p.Type, p.SpaceKey = title, "page", "ENG"
	p.Version = confluence.Version{Number: 1, CreatedAt: noon()}
	return p
}

// rights is a forest in which a node is open, or lists the callers who see it.
type rights struct {
	t      *testing.T
	forest *guard.Forest
}

func newRights(t *testing.T, upTo uint32) *rights {
	t.Helper()
	f := guard.NewForest()
	f.SetIntegration(guard.Integration{ID: 1, Name: "one", Mode: guard.Synced, Account: "boss"})
	f.SetSpace(1, guard.Space{Integration: 1, View: []guard.Principal{{Integration: 1, Kind: guard.Class, ID: guard.Anonymous},
		{Integration: 1, Kind: guard.User, ID: "ann"}, {Integration: 1, Kind: guard.User, ID: "bob"}}, SweptAt: noon()})
	for _, who := range []string{"ann", "bob"} {
		f.SetPerson(guard.Person{Integration: 1, ID: who, Active: true, CheckedAt: noon()})
	}
	for idx := uint32(1); idx <= upTo; idx++ {
		f.Put(idx, guard.Node{Space: 1, Clause: guard.Clause{State: guard.Open}})
	}
	return &rights{t, f}
}

func (r *rights) only(idx uint32, who ...string) {
	r.t.Helper()
	c := guard.Clause{State: guard.Listed}
	for _, w := range who {
		c.Of = append(c.Of, guard.Principal{Integration: 1, Kind: guard.User, ID: w})
	}
	r.forest.Put(idx, guard.Node{Space: 1, Clause: c})
}

func (r *rights) view(who string) *guard.View {
	return r.forest.Snapshot(1).View(identity.Caller{Kind: identity.User, Integration: "one", AccountID: who, Subject: who, Agent: "a"}, noon())
}

func open(t *testing.T, log index.Log, dir string) *index.Index {
	t.Helper()
	x, err := index.Open(t.Context(), index.Config{Dir: dir, Log: log, Now: noon, SlowTime: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, x.Close()) })
	return x
}

func followed(t *testing.T, log index.Log) *index.Index {
	t.Helper()
	x := open(t, log, t.TempDir())
	require.NoError(t, x.Follow(t.Context()))
	return x
}

func found(t *testing.T, x *index.Index, v *guard.View, q index.Query) []uint32 {
	t.Helper()
	a, err := x.Search(t.Context(), v, q)
	require.NoError(t, err)
	out := []uint32{}
	for _, h := range a.Hits {
		out = append(out, h.Index)
	}
	return out
}

func TestSearchShowsWhatTheCallerSees(t *testing.T) {
	log := newPages(page(1, "Runbook", "restart the deployment"), page(2, "Secret runbook", "salaries"), page(3, "Other", "nothing"))
	r := newRights(t, 3)
	r.only(2, "ann")
	x := followed(t, log)
	assert.Equal(t, []uint32{1, 2}, sortedSet(found(t, x, r.view("ann"), index.Query{Text: "runbooks"})))
	assert.Equal(t, []uint32{1}, found(t, x, r.view("bob"), index.Query{Text: "runbooks"}))
	assert.Equal(t, []uint32{1, 3}, found(t, x, r.view("bob"), index.Query{}))
	assert.Equal(t, []uint32{1, 2, 3}, found(t, x, r.view("ann"), index.Query{Text: "*"}))
}

func sortedSet(of []uint32) []uint32 {
	slices.Sort(of)
	return of
}
