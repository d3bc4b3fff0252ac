package ingest

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
	"confluence-mcp/store/guard"
)

// bodiesAtOnce is how many bodies are asked for in one request, and put as one
// batch.
const bodiesAtOnce = 100

// failuresInARow is after how many single pages that Confluence failed to give
// the space is given up for this pass.
const failuresInARow = 10

// chunk is a batch on its way from Confluence to the mirror.
type chunk struct {
	kind  string
	ids   []string
	fresh bool // different from what the mirror has, not only read long ago

	pages    []Content
	again    []Node // what was read of rights after the bodies
	grants   *granted
	problems []Problem
	notes    []Problem // of pages that were read
	release  func()    // gives up the room the bodies take
}

// content fetches what is missing, different or, in a full pass, read before it
// began, and puts it. A page that cannot be read keeps what the mirror has of it.
func (w *sweep) content(ctx context.Context) error {
	r := w.latest()
	changed, old, err := w.pass.Outdated(ctx, r.listed(), w.since())
	if err != nil {
		return err
	}
	chunks := append(w.chunks(changed, true), w.chunks(old, false)...)
	put, begun := 0, w.worked
	if err := w.putFolders(ctx, changed); err != nil {
		return err
	}
	out := make(chan *chunk)
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(out)
		return w.fetchAll(inner, chunks, out)
	})
	g.Go(func() error {
		for c := range out {
			if err := w.put(inner, c); err != nil {
				return err
			}
			put++
			w.worksTo(begun + (wholeSpace-shares[3]-begun)*min(put, len(chunks))/len(chunks))
		}
		return nil
	})
	return g.Wait()
}

// since is when a full pass began: what was read before is read again.
func (w *sweep) since() time.Time {
	if w.job == nil || !w.job.full {
		return time.Time{}
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.state.marks.Began
}

func (r *reading) listed() []Listed {
	out := make([]Listed, 0, len(r.entries))
	for _, e := range r.entries {
		if e.folder == nil && e.kind != confluence.TypePage && e.kind != confluence.TypeBlogPost {
			continue // it has no content to keep
		}
		l := Listed{ID: e.id, Version: e.version, Title: e.title, Position: e.position, Labels: e.labels, Partial: !e.whole}
		if e.whole {
			l.Attachments = make(map[string]int, len(e.files))
			for _, f := range e.files {
				l.Attachments[f.ID] = f.Version.Number
			}
		}
		out = append(out, l)
	}
	return out
}

// chunks cuts ids into batches of one kind.
func (w *sweep) chunks(ids []string, fresh bool) []*chunk {
	by := map[string][]string{}
	for _, id := range ids {
		if e := w.latest().entries[id]; e.folder == nil {
			by[e.kind] = append(by[e.kind], id)
		}
	}
	var out []*chunk
	for _, kind := range []string{confluence.TypePage, confluence.TypeBlogPost} {
		for part := range slices.Chunk(by[kind], bodiesAtOnce) {
			out = append(out, &chunk{kind: kind, ids: part, fresh: fresh})
		}
	}
	return out
}

func (w *sweep) putFolders(ctx context.Context, changed []string) error {
	var folders []Content
	for _, id := range changed {
		if f := w.latest().entries[id].folder; f != nil {
			page := *f
			page.Version.Number = w.latest().entries[id].version
			folders = append(folders, Content{Page: page, Text: page.Title})
		}
	}
	if len(folders) == 0 {
		return nil
	}
	_, err := w.pass.Put(ctx, folders, "")
	return err
}

// fetchAll fetches batches, a few at once, and gives each on as it comes.
func (w *sweep) fetchAll(ctx context.Context, chunks []*chunk, out chan<- *chunk) error {
	return each(ctx, chunks, func(ctx context.Context, c *chunk) error { return w.deliver(ctx, c, out) })
}

// fetch reads the bodies of a batch, and after them the rights of what would
// appear by it.
func (w *sweep) fetch(ctx context.Context, c *chunk) error {
	pages, err := w.bodies(ctx, c, c.ids)
	if err != nil {
		return err
	}
	slices.SortFunc(pages, func(a, b confluence.Page) int { return cmp.Compare(a.ID, b.ID) })
	got := map[string]bool{}
	for _, p := range pages {
		if p.SpaceID != w.space.ID || p.Status != confluence.StatusCurrent {
			continue
		}
		got[p.ID] = true
		content, err := w.compose(ctx, p)
		if fatal(ctx, err) {
			return err
		}
		if err != nil {
			c.problems = append(c.problems, problemOf(w.space.Key, p.ID, err))
			continue
		}
		if content.BodySize > 0 {
			c.notes = append(c.notes, hugeProblem(w.space.Key, &content))
		}
		c.pages = append(c.pages, content)
	}
	w.gone(c, got)
	if w.fresh || !w.first.rights {
		return nil
	}
	return w.reread(ctx, c)
}

// gone hides what was listed and then was not there.
func (w *sweep) gone(c *chunk, got map[string]bool) {
	bad := map[string]bool{}
	for _, p := range c.problems {
		bad[p.Page] = true
	}
	for _, id := range c.ids {
		if !got[id] && !bad[id] {
			n := w.latest().entries[id].node()
			n.Clause, n.Cause, n.Gone = guard.Clause{}, causeGone, true
			c.again = append(c.again, n)
		}
	}
}

// bodies reads pages, in smaller parts when all at once do not come: one page
// that cannot be read is named and left.
func (w *sweep) bodies(ctx context.Context, c *chunk, ids []string) ([]confluence.Page, error) {
	pages, err := w.bulk(ctx, c.kind, ids)
	switch {
	case err == nil:
		w.failing.Store(0)
		return pages, nil
	case fatal(ctx, err), isTooLarge(err) && len(ids) > 1:
		return nil, err
	case len(ids) == 1:
		c.problems = append(c.problems, problemOf(w.space.Key, ids[0], err))
		if confluence.KindOf(err) == confluence.Unavailable && w.failing.Add(1) >= failuresInARow {
			return nil, err // it is not the page
		}
		return nil, nil
	}
	half := len(ids) / 2
	first, err := w.bodies(ctx, c, ids[:half])
	if err != nil {
		return nil, err
	}
	second, err := w.bodies(ctx, c, ids[half:])
	return append(first, second...), err
}

// compose makes content of a page: labels and files from the listing where it
// told them, and the rendered text.
func (w *sweep) compose(ctx context.Context, p confluence.Page) (Content, error) {
	e := w.latest().entries[p.ID]
	p.SpaceKey = w.space.Key
	c := Content{Page: p, Labels: e.labels, Attachments: e.files}
	if !e.whole {
		var err error
		if c.Labels, c.Attachments, err = w.s.extrasOf(ctx, p); err != nil {
			return c, err
		}
	}
	if c.huge() {
		return c, nil
	}
	var err error
	c.Text, err = w.s.render(p)
	return c, err
}

// extrasOf reads labels and files of one page.
func (s *Sync) extrasOf(ctx context.Context, p confluence.Page) ([]string, []confluence.Attachment, error) {
	all, err := s.cfg.Source.Labels(ctx, p.ID, p.Type)
	if err != nil {
		return nil, nil, err
	}
	var labels []string
	for _, l := range all {
		if l.Prefix == "global" {
			labels = append(labels, l.Name)
		}
	}
	var files []confluence.Attachment
	err = everyPage(ctx, func(paging confluence.Paging) (string, error) {
		l, err := s.cfg.Source.Attachments(ctx, p.ID, p.Type, paging)
		files = append(files, l.Items...)
		return l.Next, err
	})
	return labels, files, err
}

// render gives the text of a page. A page that breaks the renderer is that
// page's problem.
func (s *Sync) render(p confluence.Page) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &confluence.Error{Kind: confluence.Invalid, Code: "page.render", Op: "render", Ref: "page " + p.ID,
				Message: "the page could not be rendered", Err: fmt.Errorf("panic of type %T", r)} // what it says may be text of the page
		}
	}()
	if len(p.Body) > heavyBody {
		s.room.heavy.Lock()
		defer s.room.heavy.Unlock()
	}
	doc, _ := markup.Parse(p.Body) // never nil: a page with a fault is shown as far as it can be read
	return words(doc.Passages(s.view(p.SpaceKey))), nil
}

// words is what a reader sees of a page, as an index reads it: headings with a
// sign in front, code in fences. Addresses of links and ids of people are no
// words of it.
func words(passages []markup.Passage) string {
	var b strings.Builder
	var path []string
	for _, one := range passages {
		if !slices.Equal(path, one.Path) && len(one.Path) > 0 {
			b.WriteString("# " + one.Path[len(one.Path)-1] + "\n")
		}
		path = one.Path
		if one.Text != "" {
			b.WriteString(one.Text + "\n")
		}
		if one.Code != "" {
			b.WriteString("```\n" + one.Code + "\n```\n")
		}
	}
	return b.String()
}

// view is how the tools show pages: links lead to what a person opens.
func (s *Sync) view(spaceKey string) markup.View {
	base := s.cfg.Source.Describe().BaseURL
	if base == "" { // behind the gateway, until an answer has told it
		base = s.cfg.BaseURL
	}
	names := func(id string) string {
		p, err := s.cfg.Mirror.Person(context.Background(), s.cfg.Integration.ID, id)
		if err != nil || p.ID != id {
			return "" // shown by id
		}
		return p.Name
	}
	return markup.View{UserName: names, PageURL: func(space, title string) string {
		if base == "" {
			return ""
		}
		if space == "" {
			space = spaceKey
		}
		return base + "/display/" + url.PathEscape(space) + "/" + strings.ReplaceAll(url.PathEscape(title), "%20", "+")
	}}
}

// done gives up the room of a batch and what was read: its ids stay.
func (c *chunk) done() {
	c.pages, c.again = nil, nil
	c.release()
}

// put gives a batch to the mirror: what got stricter of it before its content.
func (w *sweep) put(ctx context.Context, c *chunk) error {
	defer c.done()
	w.report.Problems = append(append(w.report.Problems, c.problems...), c.notes...)
	for _, bad := range c.problems {
		w.pass.Hold(bad.Page)
	}
	if c.grants != nil {
		if err := w.pass.Grants(c.grants.view, c.grants.sealed); err != nil {
			return err
		}
	}
	if len(c.again) > 0 {
		if err := w.pass.Again(ctx, c.again...); err != nil {
			return err
		}
	}
	n, err := w.pass.Put(ctx, c.pages, strconv.Itoa(w.report.Read+len(c.pages)))
	if err != nil {
		return err
	}
	w.report.Read += len(c.pages)
	w.report.Changed += n
	w.job.tell(func(p *Progress) { p.PagesRead += len(c.pages) })
	if n > 0 {
		w.s.cfg.Changed()
	}
	return nil
}
