package tools

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
	"confluence-mcp/policy"
)

func pageReadTools() []*tool {
	return []*tool{
		read(spec{name: "get_page", title: "Read a page", group: policy.Pages, action: policy.Read,
			about: "Read a page or blog post by page_id, url, or title with space_key. mode: markdown (default), outline (headings), section (one heading), blocks, storage (stored XML), rendered (with dynamic macros). Gives the version that update_page needs."},
			func(in getPageIn) target {
				return target{kind: onPage, id: in.PageID, url: in.URL, title: in.Title, spaceKey: in.SpaceKey}
			}, getPage),
		read(spec{name: "get_page_diff", title: "Compare versions", group: policy.Pages, action: policy.Read,
			about: "What changed between two versions of a page, as a diff of its Markdown."},
			func(in getDiffIn) target { return target{kind: onPage, id: in.PageID} }, getPageDiff),
	}
}

type getPageIn struct {
	PageID   string `json:"page_id,omitempty" is:"id"`
	URL      string `json:"url,omitempty" is:"line,max=2000"`
	Title    string `json:"title,omitempty" is:"line,max=255"`
	SpaceKey string `json:"space_key,omitempty" is:"key"`
	Mode     string `json:"mode,omitempty" is:"enum=markdown|outline|section|blocks|storage|rendered"`
	Section  string `json:"section,omitempty" is:"line,max=500" jsonschema:"heading or A > B"`
	Version  int    `json:"version,omitempty" is:"min=1,max=1000000"`
	MaxChars int    `json:"max_chars,omitempty" is:"min=200,max=100000"`
	Cursor   string `json:"cursor,omitempty" is:"max=4000"`
	Fresh    bool   `json:"fresh,omitempty"`
}

type pageOut struct {
	PageID     string    `json:"page_id"`
	Type       string    `json:"type"`
	Status     string    `json:"status"`
	Title      string    `json:"title"`
	SpaceKey   string    `json:"space_key"`
	ParentID   string    `json:"parent_id,omitempty"`
	AuthorID   string    `json:"author_id,omitempty"`
	Author     string    `json:"author,omitempty"`
	Version    int       `json:"version"`
	Updated    string    `json:"updated,omitempty"`
	UpdatedBy  string    `json:"updated_by,omitempty"` // name, or id when there is none
	AgeSeconds int64     `json:"age_seconds"`          // since it was read from Confluence
	Stale      bool      `json:"stale,omitempty"`
	URL        string    `json:"url"`
	Labels     []string  `json:"labels"`
	Mode       string    `json:"mode"`
	Content    string    `json:"content"`
	TotalChars int       `json:"total_chars"`
	Truncated  bool      `json:"truncated"`
	NextCursor string    `json:"next_cursor,omitempty"`
	Untrusted  untrusted `json:"untrusted"`

	ConversionError *conversionError `json:"conversion_error,omitempty"`

	copied bool // not read from Confluence just now
}

// validate refuses arguments that name no page or more than one.
func (in getPageIn) validate() error {
	byTitle := in.Title != ""
	n := 0
	for _, given := range []bool{in.PageID != "", in.URL != "", byTitle} {
		if given {
			n++
		}
	}
	next := "Send page_id, or url, or title together with space_key."
	switch {
	case n == 0:
		return invalid("missing", "No page is named.", next)
	case n > 1:
		return invalid("invalid", "The page is named in more than one way.", next)
	case byTitle && in.SpaceKey == "":
		return invalid("missing", "space_key is required beside title.", next)
	case in.Mode == "section" && in.Section == "":
		return invalid("missing", "section is required in mode section.", `Send for example section: "Setup".`)
	}
	return nil
}

// shownAs is the mode, also where none is named.
func (in getPageIn) shownAs() string {
	switch {
	case in.Mode != "":
		return in.Mode
	case in.Section != "":
		return "section"
	}
	return "markdown"
}

func getPage(ctx context.Context, k *call, in getPageIn) (pageOut, string, error) {
	from, err := k.openPage(in)
	if err != nil {
		return pageOut{}, "", err
	}
	id := in.PageID
	if k.on.page != nil {
		id = k.on.page.ID
	}
	mode := in.shownAs()
	format := confluence.Storage
	if mode == "rendered" {
		format = confluence.ExportView
	}
	p, err := k.pageAt(ctx, id, confluence.PageOptions{Format: format, Version: in.Version, Part: from.part()})
	if err != nil {
		return pageOut{}, "", err
	}
	if from.version > 0 && from.version != p.Version.Number {
		return pageOut{}, "", &confluence.Error{Kind: confluence.Conflict, Message: "The page was changed since the first part was read.", Next: "Read it again from the beginning, without cursor."}
	}
	if err := from.partOf(&p, mode); err != nil {
		return pageOut{}, "", err
	}
	if mode != "rendered" { // which has the names in it
		k.meet(ctx, append(mentions(p.Body), p.AuthorID, p.Version.AuthorID)...)
	}
	shown, err := k.bodyIn(mode, p, in.Section)
	if err != nil {
		return pageOut{}, "", err
	}
	out := k.showPage(p, mode)
	out.Untrusted.HiddenRemoved = shown.hidden
	if from.size == 0 && mode != "rendered" { // a part of a page and HTML are not storage
		out.ConversionError = faultOf(shown.fault)
	}
	if from.offset == 0 && from.source == 0 {
		out.Labels = k.labelNames(ctx, p)
	}
	return out.cut(k, shown.body, from, cmp.Or(in.MaxChars, defaultChars))
}

// pageAt reads a page, at a version if one is named. A version that is not
// there is told from a page that is not.
func (k *call) pageAt(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error) {
	p, err := k.site.Page(ctx, id, opt)
	if opt.Version == 0 || confluence.KindOf(err) != confluence.NotFound {
		return p, err
	}
	now, nowErr := k.site.Page(ctx, id, confluence.PageOptions{})
	if nowErr != nil {
		return p, nowErr
	}
	return p, &confluence.Error{Kind: confluence.NotFound, Op: "read version", Ref: id, Err: err,
		Message: fmt.Sprintf("Page %s has no version %d that can be read; the newest is %d.", id, opt.Version, now.Version.Number),
		Next:    "Choose one that confluence_get_page_history lists."}
}

// place is where in a page a cursor goes on: offset counts characters as shown,
// source bytes of the storage of a huge page. Size and next are set for a huge
// page only: its bytes, and where the part after this one begins.
type place struct{ version, offset, source, size, next int }

func (from place) seal(k *call, version, offset, source int) string {
	return k.seal(fmt.Sprintf("%d:%d:%d", version, offset, source))
}

func (k *call) openPage(in getPageIn) (place, error) {
	position, err := k.open(in.Cursor)
	if err != nil || position == "" {
		return place{}, err
	}
	var at place
	if _, err := fmt.Sscanf(position, "%d:%d:%d", &at.version, &at.offset, &at.source); err != nil || at.source < 0 {
		return place{}, invalid("cursor", "The cursor does not belong to this call.", "Repeat the call without cursor.")
	}
	return at, nil
}

// shownBody is the stored body of a page in the form a mode shows, how many
// invisible characters were left out of it, and its fault.
type shownBody struct {
	body   string
	hidden int
	fault  error
}

func (k *call) bodyIn(mode string, p confluence.Page, section string) (shownBody, error) {
	d, fault := markup.Parse(p.Body) // never nil
	out, err := shownBody{fault: fault}, error(nil)
	switch mode {
	case "storage":
		out.body = p.Body
	case "outline":
		out.body = k.outlineOf(p.Body, p.SpaceKey)
	case "blocks":
		out.body, err = k.blocksOf(p.Body, p.SpaceKey)
	case "section":
		out.body, err = d.Section(section, k.named(p.SpaceKey))
		err = markupError(err)
	case "rendered":
		r := document(markup.FromHTML(p.Body)).Markdown(k.view(p.SpaceKey))
		out.body, out.hidden = r.Text, r.Hidden
	default:
		r := d.Markdown(k.named(p.SpaceKey))
		out.body, out.hidden = r.Text, r.Hidden
	}
	return out, err
}

func (k *call) showPage(p confluence.Page, mode string) pageOut {
	out := pageOut{PageID: p.ID, Type: cmp.Or(p.Type, onPage), Status: p.Status, Title: line(p.Title), SpaceKey: p.SpaceKey,
		ParentID: p.ParentID, AuthorID: p.AuthorID, Author: k.nameOf(p.AuthorID), Version: p.Version.Number, URL: p.WebURL, Labels: []string{}, Mode: mode, Untrusted: k.newUntrusted()}
	if at := p.Version.CreatedAt; !at.IsZero() {
		out.Updated, out.UpdatedBy = at.UTC().Format(time.RFC3339), cmp.Or(k.nameOf(p.Version.AuthorID), p.Version.AuthorID)
	}
	out.AgeSeconds, out.copied, out.Stale = k.ageOf(p.ReadAt), !p.ReadAt.IsZero(), p.Stale
	return out
}

// labelNames are the labels of a page; a page is shown without them rather
// than not at all.
func (k *call) labelNames(ctx context.Context, p confluence.Page) []string {
	names := []string{}
	labels, err := k.site.Labels(ctx, p.ID, p.Type)
	if err != nil {
		k.catalog.cfg.Logger.DebugContext(ctx, "labels not read", "tool", k.tool.Name, "page", p.ID, "err", err)
		return names
	}
	for _, l := range labels {
		names = append(names, line(l.Name))
	}
	return names
}

// cut shows at most limit characters of a body from offset on, ending at a
// block border where there is one in the last half.
func (out pageOut) cut(k *call, body string, from place, limit int) (pageOut, string, error) {
	total := runes(body)
	out.TotalChars = max(total, from.size)
	start := min(from.offset, total)
	part := stretch(body, start, limit)
	if start+limit < total {
		part = atBorder(part)
		out.Truncated = true
		out.NextCursor = from.seal(k, out.Version, start+runes(part), from.source)
	} else if from.next > 0 {
		out.Truncated = true
		out.NextCursor = from.seal(k, out.Version, 0, from.next)
	}
	g := guard(part, k.home())
	if !out.Truncated {
		g.Text = strings.TrimRight(g.Text, "\n")
	}
	out.Untrusted.add(g)
	after := total - start - runes(part)
	if from.next > 0 {
		after += from.size - from.next
	}
	fenced := fence(k.nonce, strings.Trim(cutLine(from.source+start)+"\n"+g.Text+"\n"+cutLine(after), "\n"))
	out.Content = fenced
	if out.Mode == "storage" {
		out.Content = part // exact: an edit has to find these very bytes
	}
	var b strings.Builder
	b.WriteString(out.head())
	if len(out.Labels) > 0 {
		b.WriteString("Labels: " + strings.Join(out.Labels, ", ") + "\n")
	}
	if out.Mode == "rendered" {
		b.WriteString("As rendered; this form cannot be edited.\n")
	}
	b.WriteString(out.ConversionError.note() + fenced + out.Untrusted.notes())
	switch {
	case from.size > 0 && out.Truncated:
		fmt.Fprintf(&b, "\n[a very large page of %d bytes, shown in parts; this one begins at byte %d] Go on with cursor %s.", from.size, from.source, out.NextCursor)
	case out.Truncated:
		fmt.Fprintf(&b, "\n[characters %d to %d of %d; %d left out] Go on with cursor %s, or read one section (mode outline lists them).",
			start+1, start+runes(part), total, total-start-runes(part), out.NextCursor)
	}
	return out, b.String(), nil
}

// head is the first two lines: what is shown, how old it is, and its address.
func (out pageOut) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s %s, space %s, version %d", out.Title, out.Type, out.PageID, out.SpaceKey, out.Version)
	if out.Updated != "" {
		fmt.Fprintf(&b, ", updated %s", out.Updated)
	}
	if out.UpdatedBy != "" {
		fmt.Fprintf(&b, " by %s", out.UpdatedBy)
	}
	if out.Status != "" && out.Status != confluence.StatusCurrent {
		fmt.Fprintf(&b, ", %s", strings.ToUpper(line(out.Status)))
	}
	if out.copied || out.Stale {
		b.WriteString(", " + readAgo(out.AgeSeconds, out.Stale))
	}
	fmt.Fprintf(&b, ")\n%s\n", out.URL)
	return b.String()
}

func atBorder(part string) string {
	for _, border := range []string{"\n\n", "\n", " "} {
		if i := strings.LastIndex(part, border); i > len(part)/2 {
			return part[:i+len(border)]
		}
	}
	return part
}

type getDiffIn struct {
	PageID      string `json:"page_id" is:"id"`
	FromVersion int    `json:"from_version" is:"min=1,max=1000000"`
	ToVersion   int    `json:"to_version,omitempty" is:"min=1,max=1000000"`
	MaxChars    int    `json:"max_chars,omitempty" is:"min=200,max=100000"`
	Cursor      string `json:"cursor,omitempty" is:"max=4000"`
}

type diffOut struct {
	PageID       string    `json:"page_id"`
	Title        string    `json:"title"`
	FromVersion  int       `json:"from_version"`
	ToVersion    int       `json:"to_version"`
	AddedLines   int       `json:"added_lines"`
	RemovedLines int       `json:"removed_lines"`
	Diff         string    `json:"diff"`
	NextCursor   string    `json:"next_cursor,omitempty"`
	URL          string    `json:"url"`
	Untrusted    untrusted `json:"untrusted"`
}

func getPageDiff(ctx context.Context, k *call, in getDiffIn) (diffOut, string, error) {
	position, err := k.open(in.Cursor)
	if err != nil {
		return diffOut{}, "", err
	}
	offset, _ := strconv.Atoi(position)
	from, err := k.pageAt(ctx, in.PageID, confluence.PageOptions{Format: confluence.Storage, Version: in.FromVersion})
	if err != nil {
		return diffOut{}, "", err
	}
	to, err := k.pageAt(ctx, in.PageID, confluence.PageOptions{Format: confluence.Storage, Version: in.ToVersion})
	if err != nil {
		return diffOut{}, "", err
	}
	before, after := k.markdown(from.Body, to.SpaceKey), k.markdown(to.Body, to.SpaceKey)
	out := diffOut{PageID: in.PageID, Title: line(to.Title), FromVersion: in.FromVersion, ToVersion: to.Version.Number, URL: to.WebURL, Untrusted: k.newUntrusted()}
	out.AddedLines, out.RemovedLines = countLines(before, after)
	diff, err := unifiedDiff(before, after)
	if err != nil {
		return diffOut{}, "", err
	}
	total := runes(diff)
	limit := cmp.Or(in.MaxChars, defaultChars)
	start := min(offset, total)
	part := stretch(diff, start, limit)
	if start+limit < total {
		part = atBorder(part)
		out.NextCursor = k.seal(strconv.Itoa(start + runes(part)))
	}
	g := guard(part, k.home())
	out.Untrusted.add(g)
	out.Diff = fence(k.nonce, g.Text)
	text := fmt.Sprintf("%s, version %d to %d: %d lines added, %d removed\n%s\n%s%s", out.Title, out.FromVersion, out.ToVersion, out.AddedLines, out.RemovedLines, out.URL, out.Diff, out.Untrusted.notes())
	if out.NextCursor != "" {
		text += "\n[the diff is longer] Go on with cursor " + out.NextCursor
	}
	return out, text, nil
}
