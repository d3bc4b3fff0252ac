package tools_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

// fake is a small Confluence in memory that keeps the names of what was called.
// Before, when set, runs before every call and may refuse it.
type fake struct {
	mu       sync.Mutex
	calls    []string
	before   func(method string) error
	pages    map[string]confluence.Page
	old      map[string]map[int]confluence.Page
	spaces   map[string]confluence.Space
	labels   map[string][]string
	readers  map[string][]string // view restrictions, by page
	comments map[string]confluence.Comment
	files    map[string]confluence.Attachment
	bytes    map[string][]byte
	hits     []confluence.Hit
	people   map[string]string // names by account id
	cql      []string
	next     int
}

// newFake has space ENG with home page 10, page 11 "Guide" below it, page 12
// in space HR, a comment and a file on page 11.
func newFake() *fake {
	f := &fake{pages: map[string]confluence.Page{}, old: map[string]map[int]confluence.Page{}, spaces: map[string]confluence.Space{},
		labels: map[string][]string{"11": {"howto"}}, readers: map[string][]string{}, comments: map[string]confluence.Comment{}, files: map[string]confluence.Attachment{},
		bytes: map[string][]byte{}, next: 100}
	f.spaces["ENG"] = confluence.Space{ID: "1", Key: "ENG", Name: "Engineering", Type: "global", Status: "current", HomepageID: "10", WebURL: "https://acme.test/wiki/spaces/ENG"}
	f.spaces["HR"] = confluence.Space{ID: "2", Key: "HR", Name: "People", Type: "global", Status: "current", HomepageID: "20"}
	f.put(page("10", "ENG", "", "Home", "<p>Home of all.</p>"))
	f.put(page("11", "ENG", "10", "Guide", "<h1>Start</h1><p>Turn the key. Say hello.</p><h2>End</h2><p>Turn it back.</p>"))
	f.put(page("12", "HR", "20", "Rules", "<p>Be kind.</p>"))
	f.put(page("20", "HR", "", "People", "<p>People.</p>"))
	f.comments["31"] = confluence.Comment{ID: "31", Kind: "footer", PageID: "11", Status: "current", Body: "<p>Nice.</p>", Version: confluence.Version{Number: 1, AuthorID: "u-bob", CreatedAt: now}}
	f.files["att41"] = confluence.Attachment{ID: "att41", PageID: "11", Title: "notes.txt", MediaType: "text/plain", Size: 11, Version: confluence.Version{Number: 1}}
	f.bytes["att41"] = []byte("hello there")
	return f
}

func page(id, space, parent, title, body string) confluence.Page {
	return confluence.Page{ID: id, Type: "page", Status: "current", Title: title, SpaceID: map[string]string{"ENG": "1", "HR": "2"}[space], SpaceKey: space, ParentID: parent, ParentType: "page",
		AuthorID: "u-ann", CreatedAt: now, Version: confluence.Version{Number: 3, CreatedAt: now.Add(-48 * time.Hour), AuthorID: "u-ann"}, Body: body, WebURL: "https://acme.test/wiki/spaces/" + space + "/pages/" + id}
}

func (f *fake) put(p confluence.Page) {
	if f.old[p.ID] == nil {
		f.old[p.ID] = map[int]confluence.Page{}
	}
	f.pages[p.ID], f.old[p.ID][p.Version.Number] = p, p
}

func (f *fake) note(method string) error {
	f.mu.Lock()
	f.calls = append(f.calls, method)
	f.mu.Unlock()
	if f.before != nil {
		return f.before(method)
	}
	return nil
}

// writes are the calls that change something.
func (f *fake) writes() []string {
	var out []string
	for _, c := range f.calls {
		for _, verb := range []string{"Create", "Update", "Delete", "Move", "Copy", "Add", "Remove", "Upload"} {
			if strings.HasPrefix(c, verb) {
				out = append(out, c)
			}
		}
	}
	return out
}

func gone(what, id string) error {
	return &confluence.Error{Kind: confluence.NotFound, Message: what + " " + id + " does not exist, or you may not see it.", Next: "Check the id."}
}

func find[T any](m map[string]T, what, id string) (T, error) {
	v, ok := m[id]
	if !ok {
		return v, gone(what, id)
	}
	return v, nil
}

func listOf[T any](items ...T) confluence.List[T] { return confluence.List[T]{Items: items, Total: -1} }

// paged gives one page of items; the cursor is the index to go on at.
func paged[T any](items []T, p confluence.Paging) confluence.List[T] {
	start := 0
	_, _ = fmt.Sscanf(p.Cursor, "at-%d", &start)
	end := len(items)
	if p.Limit > 0 {
		end = min(end, start+p.Limit)
	}
	out := confluence.List[T]{Items: items[start:end], Total: len(items)}
	if end < len(items) {
		out.Next = fmt.Sprintf("at-%d", end)
	}
	return out
}

func (f *fake) Describe() confluence.Site {
	return confluence.Site{Name: "acme", ID: "cloud-1", Kind: "cloud", BaseURL: "https://acme.test/wiki"}
}

func (f *fake) Page(_ context.Context, id string, opt confluence.PageOptions) (confluence.Page, error) {
	if err := f.note("Page"); err != nil {
		return confluence.Page{}, err
	}
	p, err := find(f.pages, "Page", id)
	if opt.Version > 0 && err == nil {
		was, ok := f.old[id][opt.Version]
		if !ok {
			return confluence.Page{}, gone("Version", id)
		}
		p = was
	}
	if opt.Format == confluence.NoBody {
		p.Body = ""
	}
	return p, err
}

func (f *fake) Pages(_ context.Context, flt confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error) {
	var out []confluence.Page
	for _, id := range sortedIDs(f.pages) {
		one := f.pages[id]
		if one.SpaceID == flt.SpaceID && (flt.Title == "" || strings.EqualFold(flt.Title, one.Title)) && (flt.Type == "" || flt.Type == one.Type) {
			out = append(out, one)
		}
	}
	return paged(out, p), f.note("Pages")
}

func (f *fake) PagesByID(_ context.Context, ids []string, kind string) (map[string]confluence.Page, error) {
	out := map[string]confluence.Page{}
	if err := f.note("PagesByID"); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if p, ok := f.pages[id]; ok && p.Type == kind {
			p.Body = ""
			out[id] = p
		}
	}
	return out, nil
}

func sortedIDs[T any](m map[string]T) []string {
	var ids []string
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (f *fake) Children(_ context.Context, id, _ string, p confluence.Paging) (confluence.List[confluence.Node], error) {
	var out []confluence.Node
	for _, kid := range sortedIDs(f.pages) {
		if one := f.pages[kid]; one.ParentID == id {
			out = append(out, confluence.Node{ID: one.ID, Type: one.Type, Title: one.Title, Status: one.Status, ParentID: id, Depth: 1})
		}
	}
	return paged(out, p), f.note("Children")
}

func (f *fake) Descendants(ctx context.Context, id string, _ int, p confluence.Paging) (confluence.List[confluence.Node], error) {
	return f.Children(ctx, id, "page", p)
}

func (f *fake) Ancestors(_ context.Context, id string) ([]confluence.Node, error) {
	var out []confluence.Node
	for p := f.pages[id]; p.ParentID != ""; p = f.pages[p.ParentID] {
		out = append([]confluence.Node{{ID: p.ParentID, Type: "page"}}, out...)
	}
	return out, f.note("Ancestors")
}

func (f *fake) Versions(_ context.Context, id, _ string, p confluence.Paging) (confluence.List[confluence.Version], error) {
	var out []confluence.Version
	for _, v := range f.old[id] {
		out = append(out, v.Version)
	}
	slices.SortFunc(out, func(a, b confluence.Version) int { return b.Number - a.Number })
	return paged(out, p), f.note("Versions")
}

func (f *fake) Search(_ context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	f.cql = append(f.cql, s.CQL)
	return paged(f.hits, s.Paging), f.note("Search")
}

func (f *fake) Template(_ context.Context, id string) (confluence.Template, error) {
	t := confluence.Template{ID: id, Name: "Template", Body: "<p>Fill me in.</p>"}
	switch id { // 7 is the site's own
	case "8":
		t.SpaceKey, t.Labels = "ENG", []string{"howto"}
	case "9":
		t.SpaceKey, t.SpaceType = "HR", "global"
	}
	return t, f.note("Template")
}

func (f *fake) id() string { f.next++; return fmt.Sprint(f.next) }

func (f *fake) CreatePage(_ context.Context, n confluence.NewPage) (confluence.Page, error) {
	if err := f.note("CreatePage"); err != nil {
		return confluence.Page{}, err
	}
	p := page(f.id(), map[string]string{"1": "ENG", "2": "HR"}[n.SpaceID], n.ParentID, n.Title, n.Body)
	p.Type, p.Version.Number = n.Type, 1
	f.put(p)
	return p, nil
}

func (f *fake) UpdatePage(_ context.Context, u confluence.PageUpdate) (confluence.Page, error) {
	if err := f.note("UpdatePage"); err != nil {
		return confluence.Page{}, err
	}
	p := f.pages[u.ID]
	if u.Version != p.Version.Number+1 {
		return p, denied(confluence.Conflict, "")
	}
	p.Title, p.Body, p.Version.Number, p.Version.Message = u.Title, u.Body, u.Version, u.Message
	f.put(p)
	return p, nil
}

func (f *fake) DeletePage(_ context.Context, id, _ string) error {
	delete(f.pages, id)
	return f.note("DeletePage")
}

func (f *fake) MovePage(_ context.Context, id, _, target string) error {
	p := f.pages[id]
	p.ParentID, p.SpaceKey = target, f.pages[target].SpaceKey
	f.pages[id] = p
	return f.note("MovePage")
}

func (f *fake) CopyPage(_ context.Context, c confluence.CopyRequest) (confluence.Page, error) {
	src := f.pages[c.SourceID]
	p := page(f.id(), src.SpaceKey, c.ParentID, c.Title, src.Body)
	f.put(p)
	return p, f.note("CopyPage")
}

func (f *fake) Comments(_ context.Context, pageID, _, kind string, p confluence.Paging) (confluence.List[confluence.Comment], error) {
	return paged(f.commentsOf(func(c confluence.Comment) bool { return c.PageID == pageID && c.Kind == kind && c.ParentID == "" }), p), f.note("Comments")
}

func (f *fake) Replies(_ context.Context, id, _ string, p confluence.Paging) (confluence.List[confluence.Comment], error) {
	return paged(f.commentsOf(func(c confluence.Comment) bool { return c.ParentID == id }), p), f.note("Replies")
}

func (f *fake) commentsOf(which func(confluence.Comment) bool) []confluence.Comment {
	var out []confluence.Comment
	for _, id := range sortedIDs(f.comments) {
		if which(f.comments[id]) {
			out = append(out, f.comments[id])
		}
	}
	return out
}

func (f *fake) Comment(_ context.Context, id string) (confluence.Comment, error) {
	if err := f.note("Comment"); err != nil {
		return confluence.Comment{}, err
	}
	return find(f.comments, "Comment", id)
}

func (f *fake) CreateComment(_ context.Context, n confluence.NewComment) (confluence.Comment, error) {
	c := confluence.Comment{ID: f.id(), Kind: n.Kind, PageID: n.PageID, ParentID: n.ParentID, Body: n.Body, Selection: n.Selection, Version: confluence.Version{Number: 1}}
	if n.Kind == confluence.CommentInline {
		c.Resolution = "open"
	}
	f.comments[c.ID] = c
	return c, f.note("CreateComment")
}

func (f *fake) UpdateComment(_ context.Context, u confluence.CommentUpdate) (confluence.Comment, error) {
	c := f.comments[u.ID]
	c.Body, c.Version.Number = u.Body, u.Version
	f.comments[u.ID] = c
	return c, f.note("UpdateComment")
}

func (f *fake) DeleteComment(_ context.Context, id, _ string) error {
	delete(f.comments, id)
	return f.note("DeleteComment")
}

func (f *fake) Labels(_ context.Context, id, _ string) ([]confluence.Label, error) {
	var out []confluence.Label
	for _, l := range f.labels[id] {
		out = append(out, confluence.Label{Name: l, Prefix: "global"})
	}
	return out, f.note("Labels")
}

func (f *fake) AddLabels(ctx context.Context, id string, names []string) ([]confluence.Label, error) {
	f.labels[id] = append(f.labels[id], names...)
	return nil, f.note("AddLabels")
}

func (f *fake) RemoveLabel(_ context.Context, id, name string) error {
	f.labels[id] = slices.DeleteFunc(f.labels[id], func(l string) bool { return l == name })
	return f.note("RemoveLabel")
}

func (f *fake) Spaces(_ context.Context, _ confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error) {
	return paged([]confluence.Space{f.spaces["ENG"], f.spaces["HR"]}, p), f.note("Spaces")
}

func (f *fake) Space(_ context.Context, key string) (confluence.Space, error) {
	if err := f.note("Space"); err != nil {
		return confluence.Space{}, err
	}
	return find(f.spaces, "Space", key)
}

func (f *fake) CreateSpace(_ context.Context, n confluence.NewSpace) (confluence.Space, error) {
	s := confluence.Space{ID: f.id(), Key: n.Key, Name: n.Name, Description: n.Description, Type: "global", Status: "current"}
	f.spaces[n.Key] = s
	return s, f.note("CreateSpace")
}

func (f *fake) UpdateSpace(_ context.Context, u confluence.SpaceUpdate) (confluence.Space, error) {
	s := f.spaces[u.Key]
	if u.Name != nil {
		s.Name = *u.Name
	}
	f.spaces[u.Key] = s
	return s, f.note("UpdateSpace")
}

func (f *fake) Attachments(_ context.Context, pageID, _ string, p confluence.Paging) (confluence.List[confluence.Attachment], error) {
	var out []confluence.Attachment
	for _, id := range sortedIDs(f.files) {
		if f.files[id].PageID == pageID {
			out = append(out, f.files[id])
		}
	}
	return paged(out, p), f.note("Attachments")
}

func (f *fake) Attachment(_ context.Context, id string) (confluence.Attachment, error) {
	if err := f.note("Attachment"); err != nil {
		return confluence.Attachment{}, err
	}
	return find(f.files, "Attachment", id)
}

func (f *fake) Download(_ context.Context, a confluence.Attachment, offset, limit int64) (io.ReadCloser, error) {
	b := f.bytes[a.ID]
	b = b[min(offset, int64(len(b))):]
	return io.NopCloser(bytes.NewReader(b[:min(limit, int64(len(b)))])), f.note("Download")
}

func (f *fake) Upload(_ context.Context, u confluence.Upload) (confluence.Attachment, error) {
	b, err := io.ReadAll(u.Content)
	if err != nil {
		return confluence.Attachment{}, err
	}
	a := confluence.Attachment{ID: u.AttachmentID, PageID: u.PageID, Title: u.FileName, MediaType: u.MediaType, Size: int64(len(b)), Version: confluence.Version{Number: 1}}
	if a.ID == "" {
		a.ID = "att" + f.id()
	}
	f.files[a.ID], f.bytes[a.ID] = a, b
	return a, f.note("Upload")
}

func (f *fake) DeleteAttachment(_ context.Context, id string) error {
	delete(f.files, id)
	return f.note("DeleteAttachment")
}

func (f *fake) CurrentUser(context.Context) (confluence.User, error) {
	return confluence.User{ID: "u-bot", Name: "Bot", Active: true}, f.note("CurrentUser")
}

func (f *fake) User(_ context.Context, id string) (confluence.User, error) {
	return confluence.User{ID: id, Name: "Person " + id, Active: true}, f.note("User")
}

func (f *fake) UsersByID(_ context.Context, ids []string) (map[string]confluence.User, error) {
	out := map[string]confluence.User{}
	if err := f.note("UsersByID"); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if f.people[id] != "" {
			out[id] = confluence.User{ID: id, Name: f.people[id], Active: true}
		}
	}
	return out, nil
}

func (f *fake) FindUsers(context.Context, string, confluence.Paging) (confluence.List[confluence.User], error) {
	found := listOf(confluence.User{ID: "u-ann", Name: "Ann", Active: true})
	for _, id := range sortedIDs(f.people) {
		if id != "u-ann" {
			found.Items = append(found.Items, confluence.User{ID: id, Name: f.people[id], Active: true})
		}
	}
	return found, f.note("FindUsers")
}

func (f *fake) Restrictions(_ context.Context, id string) ([]confluence.Restriction, error) {
	if who := f.readers[id]; who != nil {
		return []confluence.Restriction{{Operation: "read", UserIDs: who}}, f.note("Restrictions")
	}
	return nil, f.note("Restrictions")
}
