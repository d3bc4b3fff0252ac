package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// box is a mirror with one integration, the users ann (staff, A) and bob
// (staff), and what a Confluence says.
type box struct {
	*mirror.Mirror
	t   testing.TB
	ctx context.Context
	dir string
}

func open(t testing.TB, dir string) *box {
	t.Helper()
	m, err := mirror.Open(context.Background(), mirror.Config{Dir: dir, Now: noon})
	require.NoError(t, err)
	b := &box{Mirror: m, t: t, ctx: context.Background(), dir: dir}
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func fresh(t testing.TB) *box {
	b := open(t, t.TempDir())
	b.people()
	return b
}

func (b *box) people() {
	w := b.Writer()
	require.NoError(b.t, w.SetIntegration(b.ctx, guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced}))
	require.NoError(b.t, w.SetGroups(b.ctx, []guard.Membership{{Integration: 1, ID: "gs", Name: "staff"}, {Integration: 1, ID: "ga", Name: "A"}}))
	require.NoError(b.t, w.SetPeople(b.ctx, []mirror.Person{
		{Person: guard.Person{Integration: 1, ID: "ann", Active: true, Groups: []string{"gs", "ga"}, CheckedAt: noon()}, Name: "Ann", Username: "ann1", Email: "Ann@acme.test"},
		{Person: guard.Person{Integration: 1, ID: "bob", Active: true, Groups: []string{"gs"}, CheckedAt: noon()}, Name: "Bob", Email: "bob@acme.test"},
	}))
}

func who(id string) identity.Caller {
	return identity.Caller{Agent: "t", Kind: identity.User, Integration: "acme", AccountID: id}
}

func group(id string) guard.Principal {
	return guard.Principal{Integration: 1, Kind: guard.Group, ID: id}
}

var (
	free  = guard.Clause{State: guard.Open}
	onlyA = guard.Clause{State: guard.Listed, Of: []guard.Principal{group("ga")}}
	eng   = confluence.Space{ID: "100", Key: "ENG", Name: "Engineering", Type: "global", Status: "current"}
)

func page(id, parent string, clause guard.Clause) mirror.Node {
	return mirror.Node{ID: id, Type: confluence.TypePage, ParentID: parent, Clause: clause}
}

func content(id string, version int) mirror.Content {
	c := mirror.Content{Page: confluence.Page{ID: id, Type: confluence.TypePage, Status: confluence.StatusCurrent, Title: "Title " + id, AuthorID: "ann",
		CreatedAt: noon(), Version: confluence.Version{Number: version, CreatedAt: noon().Add(time.Duration(version) * time.Hour), AuthorID: "bob"},
		Body: fmt.Sprintf("<p>body %s %d</p>", id, version), WebURL: "https://acme.test/" + id}}
	c.Labels, c.Text = []string{"l" + id, "all"}, fmt.Sprintf("body %s %d", id, version)
	c.Attachments = []confluence.Attachment{{ID: "att" + id, PageID: id, Title: "f.png", MediaType: "image/png", Size: 7, Version: confluence.Version{Number: 1, CreatedAt: noon()}}}
	return c
}

func (b *box) begin() *mirror.Pass {
	b.t.Helper()
	p, err := b.Writer().Begin(b.ctx, 1, eng)
	require.NoError(b.t, err)
	require.NoError(b.t, p.Grants([]guard.Principal{group("gs")}, false))
	return p
}

// sync is a whole pass: every node with content of a version.
func (b *box) sync(version int, nodes ...mirror.Node) mirror.Vanished {
	b.t.Helper()
	p := b.begin()
	require.NoError(b.t, p.Observe(nodes...))
	v, err := p.Tighten(b.ctx, true)
	require.NoError(b.t, err)
	var all []mirror.Content
	for _, n := range nodes {
		all = append(all, content(n.ID, version))
	}
	_, err = p.Put(b.ctx, all, "m")
	require.NoError(b.t, err)
	require.NoError(b.t, p.Loosen(b.ctx))
	require.NoError(b.t, p.End(b.ctx, "{}"))
	return v
}

func (b *box) sees(id, pageID string) bool {
	b.t.Helper()
	p, err := b.Page(b.ctx, who(id), mirror.Ref{ID: pageID})
	if err == nil {
		assert.Equal(b.t, pageID, p.ID)
		return true
	}
	require.Equal(b.t, confluence.NotFound, confluence.KindOf(err), "%v", err)
	return false
}

// tree is 1 > 2 (only A) > 3, and 4.
func tree() []mirror.Node {
	return []mirror.Node{page("1", "", free), page("2", "1", onlyA), page("3", "2", free), page("4", "1", free)}
}

func ids(pages []mirror.Page) []string {
	out := []string{}
	for _, p := range pages {
		out = append(out, p.ID)
	}
	return out
}

func TestReadsShowWhatTheCallerMaySee(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	for round := range 2 {
		got, err := b.Page(b.ctx, who("ann"), mirror.Ref{Integration: 1, ID: "3"})
		require.NoError(t, err)
		want := content("3", 1)
		want.SpaceID, want.SpaceKey, want.ParentID = "100", "ENG", "2"
		assert.Equal(t, want.Page, got.Page)
		assert.Equal(t, want.Text, got.Text)
		assert.Equal(t, want.Labels, got.Labels)
		assert.Equal(t, noon(), got.ReadAt)
		assert.Equal(t, noon(), got.RightsAt)
		again, err := b.PageAt(b.ctx, who("ann"), got.Index)
		require.NoError(t, err)
		assert.Equal(t, got, again)
		_, err = b.PageAt(b.ctx, who("bob"), got.Index)
		assert.Equal(t, confluence.NotFound, confluence.KindOf(err))

		for _, c := range []struct {
			id   string
			sees []string
		}{{"ann", []string{"1", "2", "3", "4"}}, {"bob", []string{"1", "4"}}, {"zoe", []string{}}} {
			all, err := b.Pages(b.ctx, who(c.id), mirror.Filter{}, confluence.Paging{})
			require.NoError(t, err)
			assert.Equal(t, c.sees, ids(all.Items), c.id)
			spaces, err := b.Spaces(b.ctx, who(c.id), 0, "")
			require.NoError(t, err)
			assert.Len(t, spaces, min(1, len(c.sees)), c.id)
		}
		_, err = b.FindPage(b.ctx, who("bob"), 0, "eng", "Title 3")
		assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
		got, err = b.FindPage(b.ctx, who("ann"), 0, "eng", "Title 3")
		require.NoError(t, err)
		assert.Equal(t, "3", got.ID)

		kids, err := b.Children(b.ctx, who("bob"), mirror.Ref{ID: "1"}, confluence.Paging{})
		require.NoError(t, err)
		assert.Equal(t, []string{"4"}, ids(kids.Items))
		up, err := b.Ancestors(b.ctx, who("ann"), mirror.Ref{ID: "3"})
		require.NoError(t, err)
		assert.Equal(t, []string{"1", "2"}, ids(up))
		files, err := b.Attachments(b.ctx, who("ann"), mirror.Ref{ID: "3"})
		require.NoError(t, err)
		assert.Equal(t, "att3", files[0].ID)
		_, err = b.Attachment(b.ctx, who("bob"), mirror.Ref{ID: "att3"})
		assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
		file, err := b.Attachment(b.ctx, who("bob"), mirror.Ref{ID: "att4"})
		require.NoError(t, err)
		assert.Equal(t, int64(7), file.Size)
		if round == 0 {
			b = open(t, b.dir) // and the same after a restart
		}
	}
	require.NoError(t, b.Check(b.ctx))
}

func TestNotVisibleReadsLikeAbsent(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	ask := map[string]func(id string) error{
		"page": func(id string) error { _, err := b.Page(b.ctx, who("bob"), mirror.Ref{ID: id}); return err },
		"children": func(id string) error {
			_, err := b.Children(b.ctx, who("bob"), mirror.Ref{ID: id}, confluence.Paging{})
			return err
		},
		"ancestors":   func(id string) error { _, err := b.Ancestors(b.ctx, who("bob"), mirror.Ref{ID: id}); return err },
		"attachments": func(id string) error { _, err := b.Attachments(b.ctx, who("bob"), mirror.Ref{ID: id}); return err },
		"attachment": func(id string) error {
			_, err := b.Attachment(b.ctx, who("bob"), mirror.Ref{ID: "att" + id})
			return err
		},
		"title": func(id string) error { _, err := b.FindPage(b.ctx, who("bob"), 0, "ENG", "Title "+id); return err },
	}
	for name, fn := range ask {
		hidden, absent := fn("3"), fn("9")
		var h, a *confluence.Error
		require.True(t, errors.As(hidden, &h) && errors.As(absent, &a), name)
		h.Ref, a.Ref = "", ""
		assert.Equal(t, *a, *h, name)
	}
	under, err := b.Pages(b.ctx, who("bob"), mirror.Filter{Ancestor: &mirror.Ref{ID: "2"}}, confluence.Paging{})
	require.NoError(t, err)
	none, err := b.Pages(b.ctx, who("bob"), mirror.Filter{Ancestor: &mirror.Ref{ID: "9"}}, confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, none, under)
}

func TestFiltersAndCursors(t *testing.T) {
	b := fresh(t)
	var nodes []mirror.Node
	for i := range 60 {
		clause := free
		if i%3 == 1 {
			clause = onlyA
		}
		parent := "p0"
		if i == 0 {
			parent = ""
		}
		nodes = append(nodes, page(fmt.Sprintf("p%d", i), parent, clause))
	}
	b.sync(1, nodes...)
	for _, f := range []mirror.Filter{{}, {Parent: &mirror.Ref{ID: "p0"}}, {Ancestor: &mirror.Ref{ID: "p0"}}, {SpaceKey: "ENG", Type: "page", Integration: 1}, {Label: "all", AuthorID: "bob", UpdatedSince: noon()}} {
		for caller, want := range map[string]int{"ann": 60, "bob": 40} {
			if f.Parent != nil || f.Ancestor != nil {
				want--
			}
			seen, cursor := map[string]bool{}, ""
			for pages := 0; ; pages++ {
				l, err := b.Pages(b.ctx, who(caller), f, confluence.Paging{Cursor: cursor, Limit: 7})
				require.NoError(t, err)
				for _, p := range l.Items {
					assert.False(t, seen[p.ID], "%s twice", p.ID)
					seen[p.ID] = true
				}
				if cursor = l.Next; cursor == "" {
					break
				}
				require.Less(t, pages, 20)
				_, err = b.Pages(b.ctx, who("bo"), f, confluence.Paging{Cursor: cursor})
				assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "another caller's")
				_, err = b.Pages(b.ctx, who(caller), mirror.Filter{Label: "x"}, confluence.Paging{Cursor: cursor})
				assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "of another question")
			}
			assert.Len(t, seen, want, "%s %+v", caller, f)
		}
	}
	for name, f := range map[string]mirror.Filter{"label": {Label: "no"}, "author": {AuthorID: "no"}, "since": {UpdatedSince: noon().Add(2 * time.Hour)}, "space": {SpaceKey: "NO"}, "type": {Type: "blogpost"}, "integration": {Integration: 2}} {
		l, err := b.Pages(b.ctx, who("ann"), f, confluence.Paging{})
		require.NoError(t, err)
		assert.Empty(t, l.Items, name)
	}
	for _, cursor := range []string{"x", "e30", "!!", "AAAA"} {
		_, err := b.Pages(b.ctx, who("ann"), mirror.Filter{}, confluence.Paging{Cursor: cursor})
		assert.Equal(t, confluence.Invalid, confluence.KindOf(err), cursor)
	}
}

func TestPeopleAreFoundByIDUsernameAndEmail(t *testing.T) {
	b := fresh(t)
	for _, name := range []string{"ann", "ann1", "ANN1", "ann@acme.test"} {
		p, err := b.Writer().Person(b.ctx, 1, name)
		require.NoError(t, err, name)
		assert.Equal(t, "ann", p.ID)
		assert.Equal(t, []string{"gs", "ga"}, p.Groups)
	}
	for _, name := range []string{"", "Ann", "zoe", "%", "acme.test"} {
		_, err := b.Writer().Person(b.ctx, 1, name)
		assert.Equal(t, confluence.NotFound, confluence.KindOf(err), name)
	}
	_, err := b.Writer().Person(b.ctx, 2, "ann")
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err), "of another integration")
}

func TestMembershipCountsAtOnce(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	require.True(t, b.sees("ann", "2"))
	require.NoError(t, b.Writer().SetPeople(b.ctx, []mirror.Person{{Person: guard.Person{Integration: 1, ID: "ann", Active: true, Groups: []string{"gs"}, CheckedAt: noon()}}}))
	assert.False(t, b.sees("ann", "2"))
	require.NoError(t, b.Writer().DropGroup(b.ctx, 1, "gs"))
	assert.False(t, b.sees("ann", "1"))
	require.NoError(t, b.Writer().DropIntegration(b.ctx, 1))
	require.NoError(t, b.Writer().SetIntegration(b.ctx, guard.Integration{ID: 1, Name: "acme", Mode: guard.Public}))
	assert.False(t, b.sees("ann", "1"))
	changes, err := b.Follower().Changes(b.ctx, 0, 100)
	require.NoError(t, err)
	assert.Len(t, changes, 8, "four came, four went")
}

func TestFollowersSeeEveryChangeOnce(t *testing.T) {
	b, ctx := fresh(t), context.Background()
	f := b.Follower()
	before, last, err := f.Range(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{0, 0}, []int64{before, last})
	b.sync(1, tree()...)
	b.sync(1, tree()...)
	changes, err := f.Changes(ctx, 0, 100)
	require.NoError(t, err)
	require.Len(t, changes, 4, "what did not change is not logged")
	b.sync(2, tree()...)
	changes, err = f.Changes(ctx, changes[3].Seq, 2)
	require.NoError(t, err)
	require.Len(t, changes, 2)
	p, there, err := f.Page(ctx, changes[0].Index)
	require.NoError(t, err)
	assert.True(t, there)
	assert.Equal(t, "body 1 2", p.Text)
	assert.Equal(t, "ENG", p.SpaceKey)
	require.NoError(t, f.Trim(ctx, 5))
	before, last, err = f.Range(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{5, 8}, []int64{before, last})
	require.NoError(t, f.Trim(ctx, 8))
	before, last, err = f.Range(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{8, 8}, []int64{before, last})
	all, err := f.All(ctx, 0, 3)
	require.NoError(t, err)
	rest, err := f.All(ctx, all[2].Index, 3)
	require.NoError(t, err)
	assert.Equal(t, []string{"1", "2", "3", "4"}, ids(append(all, rest...)))
	_, there, err = f.Page(ctx, 999)
	require.NoError(t, err)
	assert.False(t, there)
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	b := fresh(t)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(filepath.Join(b.dir, mirror.File+suffix))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
}

// What was read of somebody before what is known of him gives him nothing back.
func TestAnOlderReadingOnlyTakes(t *testing.T) {
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	both, active := []string{"ga", "gs"}, guard.Person{Active: true, Groups: []string{"gs"}, CheckedAt: at(-10)}
	for name, c := range map[string]struct{ known, read, want guard.Person }{
		"newer":             {active, guard.Person{Active: true, Groups: both, CheckedAt: at(-5)}, guard.Person{Active: true, Groups: both, CheckedAt: at(-5)}},
		"of the same time":  {active, guard.Person{Active: true, Groups: both, CheckedAt: at(-10)}, guard.Person{Active: true, Groups: both, CheckedAt: at(-10)}},
		"older, with more":  {active, guard.Person{Active: true, Groups: both, CheckedAt: at(-11)}, active},
		"older, with other": {active, guard.Person{Active: true, Groups: []string{"ga"}, CheckedAt: at(-11)}, guard.Person{Active: true, CheckedAt: at(-10)}},
		"older, active":     {guard.Person{CheckedAt: at(-10)}, guard.Person{Active: true, Admin: true, Groups: both, CheckedAt: at(-11)}, guard.Person{CheckedAt: at(-10)}},
		"older, inactive":   {active, guard.Person{Groups: both, CheckedAt: at(-11)}, guard.Person{Groups: []string{"gs"}, CheckedAt: at(-10)}},
		"older, no guest":   {guard.Person{Active: true, Guest: true, App: true, CheckedAt: at(-10)}, guard.Person{Active: true, CheckedAt: at(-11)}, guard.Person{Active: true, Guest: true, App: true, CheckedAt: at(-10)}},
		"forgotten":         {active, guard.Person{Active: true}, guard.Person{Active: true}},
		"a wrong clock":     {guard.Person{Active: true, CheckedAt: at(600)}, active, active},
	} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t)
			for _, p := range []*guard.Person{&c.known, &c.read, &c.want} {
				p.Integration, p.ID = 1, "zoe"
			}
			require.NoError(t, b.Writer().SetPeople(b.ctx, []mirror.Person{{Person: c.known}}))
			require.NoError(t, b.Writer().SetPeople(b.ctx, []mirror.Person{{Person: c.read}}))
			got, err := b.Writer().Person(b.ctx, 1, "zoe")
			require.NoError(t, err)
			assert.Equal(t, c.want, got.Person)
			b.sync(1, page("1", "", onlyA))
			assert.Equal(t, slices.Contains(c.want.Groups, "ga"), b.sees("zoe", "1"), "what is judged by is what is stored")
		})
	}
}
