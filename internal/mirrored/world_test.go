package mirrored_test

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/mirrored"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// world is an emulated Confluence, a mirror of it, and what answers from both.
// The connecting account is bot; the users in own have credentials of their
// own.
type world struct {
	*mirrored.Sites
	t        testing.TB
	ctx      context.Context
	emulator *emulatortest.Emulator
	m        *mirror.Mirror
	x        *index.Index
	engine   *retrieve.Engine
	shared   *rest.Client
	own      map[string]bool
	site     retrieve.Integration
	mirrored []string // space keys; the others are unread
	complete bool
	lends    bool // the connecting account writes for others
	wrote    []string

	mu    sync.Mutex
	now   time.Time
	lines map[string]line // of the site, by kind and id
	order []string
}

// line is one line of a site file, of any kind.
type line struct {
	Kind, ID, Name, Username, Email, Account, Key, Type, Space, Parent, Title, Status, Storage, Author string
	Groups, Read, Labels                                                                               []string
	Active, Anonymous                                                                                  *bool
	Admin                                                                                              bool
	Version                                                                                            int
	Updated                                                                                            time.Time
	MediaType                                                                                          string `json:"media_type"`
	Data                                                                                               []byte
	Grants                                                                                             []struct{ To, Op string }
}

func newWorld(t testing.TB, more ...string) *world {
	w := &world{t: t, ctx: context.Background(), own: map[string]bool{}, mirrored: []string{"ENG", "HR", "S2"}, complete: true, lines: map[string]line{}, now: emulatortest.Epoch(),
		site: retrieve.Integration{Integration: guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced, Account: "u-bot", Anonymous: true}, Edition: confluence.Cloud}}
	w.emulator = emulatortest.Start(t, emulatortest.SmallSite)
	w.learn(strings.Split(strings.TrimSpace(emulatortest.SmallSite), "\n")...)
	w.open()
	w.apply(more...)
	w.sync()
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) open() {
	t, dir := w.t, w.t.TempDir()
	var err error
	w.m, err = mirror.Open(w.ctx, mirror.Config{Dir: dir, Now: w.clock})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.m.Close()) })
	w.x, err = index.Open(w.ctx, index.Config{Dir: dir, Now: w.clock, Log: w.m.Follower(), SlowTime: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.x.Close()) })
	w.engine, err = retrieve.New(retrieve.Config{Mirror: w.m, Index: w.x, Now: w.clock, Integrations: func() []retrieve.Integration { return []retrieve.Integration{w.site} }})
	require.NoError(t, err)
	w.shared = w.client("u-bot")
	w.Sites, err = mirrored.New(mirrored.Config{Live: w, Mirror: w.m, Retrieve: w.engine, Now: w.clock, Complete: func(context.Context, int64) bool { return w.complete },
		Rights: w.rights, Shared: func(string) (tools.Site, error) { return w.shared, nil }, Wrote: func(_ int64, id string) { w.wrote = append(w.wrote, id) }})
	require.NoError(t, err)
}

func (w *world) rights(string) mirrored.Rights {
	if w.lends {
		return w.shared
	}
	return nil
}

func (w *world) client(user string) *rest.Client {
	c, err := rest.New(rest.Config{Name: "acme", BaseURL: w.emulator.URL, Auth: rest.Basic, Username: w.emulator.Email(user), Token: seal.NewSecret(w.emulator.Token(user)),
		RateBudget: time.Second, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	require.NoError(w.t, err)
	return c
}

// For is Confluence as the caller himself, as connections hand it out.
func (w *world) For(_ context.Context, c identity.Caller) (tools.Site, error) {
	switch {
	case c.Kind == identity.Service || c.Kind == identity.User && c.AccountID == "u-bot":
		return w.shared, nil
	case c.Kind == identity.Nobody:
		return w.shared.As(rest.Anonymous, "", seal.Secret{})
	case w.own[c.AccountID]:
		return w.client(c.AccountID), nil
	}
	return nil, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Message: "no credential"}
}

// apply changes the site.
func (w *world) apply(lines ...string) {
	w.t.Helper()
	if len(lines) > 0 {
		w.emulator.Apply(lines...)
		w.learn(lines...)
	}
}

func (w *world) learn(lines ...string) {
	for _, text := range lines {
		var l line
		require.NoError(w.t, json.Unmarshal([]byte(text), &l), text)
		if l.Kind == "delete" {
			delete(w.lines, "content:"+l.ID)
			continue
		}
		key := l.Kind + ":" + l.ID
		if old, ok := w.lines[key]; ok {
			require.NoError(w.t, json.Unmarshal([]byte(text), &old)) // what a line leaves out stays
			l = old
		} else {
			w.order = append(w.order, key)
		}
		w.lines[key] = l
	}
}

func (w *world) each(kind string, fn func(line)) {
	for _, key := range w.order {
		if l, ok := w.lines[key]; ok && l.Kind == kind {
			fn(l)
		}
	}
}

// sync fills the mirror with the whole site, as a sync would, and the index.
func (w *world) sync() {
	w.t.Helper()
	wr := w.m.Writer()
	require.NoError(w.t, wr.SetIntegration(w.ctx, w.site.Integration))
	w.people()
	w.each("space", func(s line) {
		if slices.Contains(w.mirrored, s.Key) {
			w.space(s)
		}
	})
	require.NoError(w.t, w.x.Follow(w.ctx))
}

func (w *world) people() {
	var groups []guard.Membership
	ids := map[string]string{}
	w.each("group", func(g line) {
		ids[g.Name] = g.ID
		groups = append(groups, guard.Membership{Integration: 1, ID: g.ID, Name: g.Name})
	})
	require.NoError(w.t, w.m.Writer().SetGroups(w.ctx, groups))
	var people []mirror.Person
	w.each("user", func(u line) {
		p := mirror.Person{Name: u.Name, Username: u.Username, Email: u.Email, Person: guard.Person{Integration: 1, ID: u.ID, Active: u.Active == nil || *u.Active,
			Guest: u.Account == "guest", App: u.Account == "app", Admin: u.Admin, CheckedAt: w.clock()}}
		for _, g := range u.Groups {
			p.Groups = append(p.Groups, ids[g])
		}
		people = append(people, p)
	})
	require.NoError(w.t, w.m.Writer().SetPeople(w.ctx, people))
}

func (w *world) space(s line) {
	p, err := w.m.Writer().Begin(w.ctx, 1, confluence.Space{ID: s.ID, Key: s.Key, Name: s.Name, Type: s.Type, Status: "current", WebURL: w.emulator.URL + "/spaces/" + s.Key})
	require.NoError(w.t, err)
	var view []string
	for _, g := range s.Grants {
		view = append(view, g.To)
	}
	require.NoError(w.t, p.Grants(w.principals(view), false))
	files := map[string][]confluence.Attachment{}
	w.each("content", func(c line) {
		if c.Type == "attachment" {
			files[c.Parent] = append(files[c.Parent], confluence.Attachment{ID: "att" + c.ID, PageID: c.Parent, Title: c.Title, MediaType: c.MediaType, Size: int64(len(c.Data)), Version: confluence.Version{Number: 1}})
		}
	})
	var all []mirror.Content
	w.each("content", func(c line) {
		if c.Space != s.Key || c.Type == "comment" || c.Type == "attachment" || c.Status != "" && c.Status != "current" {
			return
		}
		clause := guard.Clause{State: guard.Open}
		if c.Type == "folder" {
			clause = guard.Clause{State: guard.Opaque}
		}
		if len(c.Read) > 0 {
			clause = guard.Clause{State: guard.Listed, Of: w.principals(c.Read)}
		}
		require.NoError(w.t, p.Observe(mirror.Node{ID: c.ID, Type: c.Type, ParentID: c.Parent, Clause: clause}))
		all = append(all, mirror.Content{Labels: c.Labels, Text: c.Title + "\n" + strings.NewReplacer("<", " <", ">", "> ").Replace(c.Storage), Attachments: files[c.ID],
			Page: confluence.Page{ID: c.ID, Type: c.Type, Status: "current", Title: c.Title, ParentID: c.Parent, AuthorID: c.Author, Body: c.Storage,
				WebURL: w.emulator.URL + "/spaces/" + s.Key + "/pages/" + c.ID, Version: confluence.Version{Number: max(1, c.Version), CreatedAt: c.Updated}}})
	})
	for i := range all {
		if c := &all[i]; len(c.Body) > 3<<19 { // as a sync leaves it
			c.Body, c.Text = "", c.Title
		}
	}
	_, err = p.Tighten(w.ctx, true)
	require.NoError(w.t, err)
	_, err = p.Put(w.ctx, all, "")
	require.NoError(w.t, err)
	require.NoError(w.t, p.Loosen(w.ctx))
	require.NoError(w.t, p.End(w.ctx, "{}"))
}

// principals are subjects as a site file names them.
func (w *world) principals(to []string) []guard.Principal {
	var out []guard.Principal
	for _, one := range to {
		kind, name, _ := strings.Cut(one, ":")
		p := guard.Principal{Integration: 1, ID: name}
		switch kind {
		case "group":
			p.Kind, p.ID = guard.Group, "?"+name
			w.each("group", func(g line) {
				if g.Name == name {
					p.ID = g.ID
				}
			})
		case "user":
			p.Kind = guard.User
		default:
			p.Kind, p.ID = guard.Class, cmp.Or(name, guard.Anonymous)
		}
		out = append(out, p)
	}
	return out
}

func user(id string) identity.Caller {
	return identity.Caller{Agent: "desk", Kind: identity.User, Integration: "acme", AccountID: id, Transport: identity.HTTP, Profile: "full-access"}
}

func nobody(access ...string) identity.Caller {
	c := identity.Public("desk", "full-access", identity.HTTP)
	c.Access = access
	return c
}

// as is the site of a caller, through the whole of the package.
func (w *world) as(c identity.Caller) tools.Site {
	w.t.Helper()
	s, err := w.Sites.For(w.ctx, c)
	require.NoError(w.t, err)
	return s
}

// asked are the requests to Confluence that fn makes, without their queries.
func (w *world) asked(fn func()) []string {
	before := len(w.emulator.Requests(0))
	fn()
	var out []string
	for _, r := range w.emulator.Requests(0)[before:] {
		out = append(out, r.Method+" "+strings.SplitN(r.Path, "?", 2)[0])
	}
	return out
}
