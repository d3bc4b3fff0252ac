package retrieve_test

import (
	"cmp"
	"context"
	"fmt"
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
	"confluence-mcp/store/mirror"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// scan is an index that knows nothing and looks through everything each time.
// stale are texts that it still takes for those of a page.
type scan struct {
	m     *mirror.Mirror
	stale map[string]string
	asked []retrieve.Query
}

func (s *scan) Search(ctx context.Context, v *guard.View, q retrieve.Query) (retrieve.Found, error) {
	s.asked = append(s.asked, q)
	all, err := s.m.Follower().All(ctx, 0, 10_000)
	if err != nil {
		return retrieve.Found{}, err
	}
	var hits []retrieve.Hit
	for _, p := range all {
		text := cmp.Or(s.stale[p.ID], p.Title+" "+p.Text)
		if !v.Sees(p.Index) || q.Text != "*" && !strings.Contains(strings.ToLower(text), strings.ToLower(q.Text)) ||
			q.Integration != 0 && p.Integration != q.Integration || q.SpaceKey != "" && p.SpaceKey != q.SpaceKey ||
			q.Ancestor != 0 && !v.Snapshot().Under(p.Index, q.Ancestor) {
			continue
		}
		hits = append(hits, retrieve.Hit{Index: p.Index})
	}
	out := retrieve.Found{Total: len(hits)}
	from, _ := strconv.Atoi(q.After)
	slices.SortFunc(hits, func(a, b retrieve.Hit) int { return cmp.Compare(a.Index, b.Index) })
	out.Hits = hits[min(from, len(hits)):]
	if len(out.Hits) > q.Limit {
		out.Hits, out.Next = out.Hits[:q.Limit], strconv.Itoa(from+q.Limit)
	}
	return out, nil
}

// box is a mirror with two integrations and an engine over it.
type box struct {
	*retrieve.Engine
	t     testing.TB
	ctx   context.Context
	m     *mirror.Mirror
	index *scan
	now   time.Time
	sites []retrieve.Integration

	refreshed []string
	refresh   func(who string) error
}

func fresh(t testing.TB) *box {
	b := &box{t: t, ctx: context.Background(), now: noon()}
	m, err := mirror.Open(b.ctx, mirror.Config{Dir: t.TempDir(), Now: func() time.Time { return b.now }})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	b.m, b.index = m, &scan{m: m, stale: map[string]string{}}
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

func (b *box) sync(integration int64, sp confluence.Space, view guard.Principal, docs ...doc) {
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

// pages makes n open pages that all say a word.
func pages(n int, said string) []doc {
	var out []doc
	for i := range n {
		out = append(out, doc{id: strconv.Itoa(1000 + i), title: fmt.Sprintf("Page %d", i), storage: "<p>" + said + "</p>", clause: free})
	}
	return out
}
