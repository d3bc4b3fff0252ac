package retrieve_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// heard is an index that remembers what it was asked, and may be kept busy.
type heard struct {
	*index.Index
	asked  []index.Query
	before func(text string)
	unsure int // answers that leave something to Confluence
}

func (h *heard) Search(ctx context.Context, v *guard.View, q index.Query) (index.Answer, error) {
	h.asked = append(h.asked, q)
	if h.before != nil {
		h.before(q.Text)
	}
	a, err := h.Index.Search(ctx, v, q)
	if h.unsure > 0 {
		h.unsure--
		a.Unsure = []uint32{1}
	}
	return a, err
}

// box is a mirror with two integrations and an engine over it.
type box struct {
	*retrieve.Engine
	t     testing.TB
	dir   string
	ctx   context.Context
	m     *mirror.Mirror
	index *heard
	now   time.Time
	sites []retrieve.Integration

	refreshed []string
	refresh   func(who string) error
}

func fresh(t testing.TB) *box {
	b := &box{t: t, ctx: context.Background(), now: noon()}
	b.dir = t.TempDir()
	dir, now := b.dir, func() time.Time { return b.now }
	m, err := mirror.Open(b.ctx, mirror.Config{Dir: dir, Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	x, err := index.Open(b.ctx, index.Config{Dir: dir, Now: now, Log: m.Follower(), SlowTime: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, x.Close()) })
	b.m, b.index = m, &heard{Index: x}
	w := m.Writer()
	for id, name := range []string{"acme", "beta"} {
		i := retrieve.Integration{Integration: guard.Integration{ID: int64(id + 1), Name: name, Mode: guard.Synced, Account: "bot", Anonymous: true}, Edition: confluence.Cloud}
		b.sites = append(b.sites, i)
		require.NoError(t, w.SetIntegration(b.ctx, i.Integration))
		require.NoError(t, w.SetGroups(b.ctx, []guard.Membership{{Integration: i.ID, ID: "gs", Name: "staff"}, {Integration: i.ID, ID: "ga", Name: "A"}}))
	}
	b.people(1, "ann", "gs", "ga")
	b.people(1, "bob", "gs")
	b.people(2, "b2", "gs", "ga")
	b.Engine, err = retrieve.New(retrieve.Config{Mirror: m, Index: b.index, Now: func() time.Time { return b.now },
		Integrations: func() []retrieve.Integration { return b.sites },
		Refresh: func(_ context.Context, _ int64, who string) error {
			b.refreshed = append(b.refreshed, who)
			if b.refresh != nil {
				return b.refresh(who)
			}
			return nil
		}})
	require.NoError(t, err)
	return b
}

func (b *box) people(integration int64, id string, groups ...string) {
	b.t.Helper()
	require.NoError(b.t, b.m.Writer().SetPeople(b.ctx, []mirror.Person{{
		Person: guard.Person{Integration: integration, ID: id, Active: true, Groups: groups, CheckedAt: b.now}, Name: id, Username: id + "-login", Email: id + "@acme.test"}}))
}

func caller(id string) identity.Caller {
	return identity.Caller{Agent: "t", Kind: identity.User, Integration: "acme", AccountID: id, Transport: identity.HTTP}
}

var (
	free = guard.Clause{State: guard.Open}
	eng  = confluence.Space{ID: "100", Key: "ENG", Name: "Engineering", Type: "global", Status: "current"}
	open = confluence.Space{ID: "200", Key: "OPEN", Name: "Open", Type: "global", Status: "current"}
)

func onlyA(integration int64) guard.Clause {
	return guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: integration, Kind: guard.Group, ID: "ga"}}}
}

// doc is a page to put into the mirror.
type doc struct {
	id, parent, title, storage string
	kind                       string
	clause                     guard.Clause
	labels                     []string
	version                    int
}

// sync is a whole pass over a space, and the index after it.
func (b *box) sync(integration int64, sp confluence.Space, view guard.Principal, docs ...doc) {
	b.t.Helper()
	b.fill(integration, sp, view, docs...)
	require.NoError(b.t, b.index.Follow(b.ctx))
}

func (b *box) fill(integration int64, sp confluence.Space, view guard.Principal, docs ...doc) {
	b.t.Helper()
	p, err := b.m.Writer().Begin(b.ctx, integration, sp)
	require.NoError(b.t, err)
	view.Integration = integration
	require.NoError(b.t, p.Grants([]guard.Principal{view}, false))
	var all []mirror.Content
	for _, d := range docs {
		require.NoError(b.t, p.Observe(mirror.Node{ID: d.id, Type: cmp.Or(d.kind, confluence.TypePage), ParentID: d.parent, Clause: d.clause}))
		v := max(1, d.version)
		c := mirror.Content{Labels: d.labels, Text: plain(d.storage), Page: confluence.Page{ID: d.id, Type: cmp.Or(d.kind, confluence.TypePage),
			Status: confluence.StatusCurrent, Title: d.title, AuthorID: "ann", CreatedAt: noon().Add(-48 * time.Hour), Body: d.storage, WebURL: "https://acme.test/wiki/" + d.id,
			Version: confluence.Version{Number: v, CreatedAt: noon().Add(-24 * time.Hour), AuthorID: "bob"}}}
		all = append(all, c)
	}
	_, err = p.Tighten(b.ctx, true)
	require.NoError(b.t, err)
	_, err = p.Put(b.ctx, all, "")
	require.NoError(b.t, err)
	require.NoError(b.t, p.Loosen(b.ctx))
	require.NoError(b.t, p.End(b.ctx, "{}"))
}

// spoil damages the bodies of pages, as a disk could.
func (b *box) spoil(ids ...string) {
	b.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.dir, mirror.File)+"?_pragma=busy_timeout(5000)")
	require.NoError(b.t, err)
	defer db.Close()
	for _, id := range ids {
		_, err := db.ExecContext(b.ctx, "UPDATE body SET text = 'other' WHERE node = (SELECT idx FROM node WHERE id = ?)", id)
		require.NoError(b.t, err)
	}
}

func plain(storage string) string {
	for _, tag := range []string{"<p>", "</p>", "<h1>", "</h1>", "<h2>", "</h2>"} {
		storage = strings.ReplaceAll(storage, tag, " ")
	}
	return storage
}

var staff = guard.Principal{Kind: guard.Group, ID: "gs"}
var anybody = guard.Principal{Kind: guard.Class, ID: guard.Anonymous}

func (b *box) ask(c identity.Caller, q retrieve.Question) retrieve.Answer {
	b.t.Helper()
	a, err := b.Query(b.ctx, c, q)
	require.NoError(b.t, err)
	return a
}

func ids(a retrieve.Answer) []string {
	out := []string{}
	for _, r := range a.Results {
		out = append(out, r.PageID)
	}
	return out
}

// sorted are the ids where their order does not matter.
func sorted(a retrieve.Answer) []string { return slices.Sorted(slices.Values(ids(a))) }

// pages makes n open pages that all say a word.
func pages(n int, said string) []doc {
	var out []doc
	for i := range n {
		out = append(out, doc{id: strconv.Itoa(1000 + i), title: fmt.Sprintf("Page %d", i), storage: "<p>" + said + "</p>", clause: free})
	}
	return out
}
