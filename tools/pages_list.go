package tools

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

func pageListTools() []*tool {
	return []*tool{
		read(spec{name: "list_pages", title: "List pages", group: policy.Pages, action: policy.Read, listing: true,
			about: "List pages of a space, below a page or folder (parent_id, depth up to 10), with a label, or changed since a time. Folders are listed too."},
			func(in listPagesIn) target {
				if in.ParentID != "" {
					return target{kind: onPage, id: in.ParentID}
				}
				if in.SpaceKey != "" {
					return target{kind: onSpace, spaceKey: in.SpaceKey}
				}
				return target{}
			}, listPages),
		read(spec{name: "get_page_history", title: "Read page history", group: policy.Pages, action: policy.Read,
			about: "Versions of a page, newest first: number, author, time, message."},
			func(in getHistoryIn) target { return target{kind: onPage, id: in.PageID} }, getHistory),
	}
}

type listPagesIn struct {
	SpaceKey     string `json:"space_key,omitempty" is:"key"`
	ParentID     string `json:"parent_id,omitempty" is:"id"`
	Label        string `json:"label,omitempty" is:"label"`
	ChangedSince string `json:"changed_since,omitempty" is:"time" jsonschema:"2026-01-31 or 7d"`
	Depth        int    `json:"depth,omitempty" is:"min=1,max=10"`
	Limit        int    `json:"limit,omitempty" is:"min=1,max=100"`

	goingOn
}

func (in listPagesIn) validate() error {
	switch {
	case in.SpaceKey == "" && in.ParentID == "" && in.Label == "" && in.ChangedSince == "":
		return invalid("missing", "Nothing says which pages to list.", "Send space_key, parent_id, label or changed_since.")
	case in.Depth > 0 && in.ParentID == "":
		return invalid("invalid", "depth needs parent_id.", "Send parent_id as well, or leave depth out.")
	case in.ParentID != "" && (in.SpaceKey != "" || in.Label != "" || in.ChangedSince != ""):
		return invalid("invalid", "parent_id cannot be combined with space_key, label or changed_since.", "Use confluence_search with ancestor_id for that.")
	}
	return nil
}

type pageRow struct {
	PageID   string `json:"page_id"`
	Type     string `json:"type"`
	Title    string `json:"title"`
	SpaceKey string `json:"space_key,omitempty"`
	ParentID string `json:"parent_id,omitempty"`
	Depth    int    `json:"depth,omitempty"`
	Version  int    `json:"version,omitempty"`
	Updated  string `json:"updated,omitempty"`
	URL      string `json:"url"`

	status string
}

type pagesOut struct {
	Pages      []pageRow `json:"pages"`
	AgeSeconds int64     `json:"age_seconds"`
	Stale      bool      `json:"stale,omitempty"`
	NextCursor string    `json:"next_cursor,omitempty"`
}

func listPages(ctx context.Context, k *call, in listPagesIn) (pagesOut, string, error) {
	w, err := list(k, lister[pageRow]{
		cursor: in.Cursor, maxChars: in.MaxChars,
		fetch: func(upstream string) (confluence.List[pageRow], error) {
			rows, err := k.fetchPages(ctx, in, confluence.Paging{Cursor: upstream, Limit: cmp.Or(in.Limit, 50)})
			if err != nil {
				return rows, err
			}
			if rows.Items, err = judged(ctx, k, rows.Items, func(p pageRow) (string, string) { return p.Type, p.PageID }); err != nil {
				return rows, err
			}
			k.fillRows(ctx, rows.Items)
			return rows, nil
		},
		keep: func(p pageRow) bool {
			return (p.status == "" || p.status == confluence.StatusCurrent) && k.reaches(p.SpaceKey)
		},
		show: pageRow.text,
	})
	if err != nil {
		return pagesOut{}, "", err
	}
	return pagesOut{Pages: w.rows, NextCursor: w.next, AgeSeconds: k.ageOf(w.readAt), Stale: w.stale}, w.fenced(k, "pages"), nil
}

func (p pageRow) text() string {
	s := strings.Repeat("  ", max(0, p.Depth-1)) + "- " + p.Title + " (" + p.Type + " " + p.PageID
	if p.Version > 0 {
		s += fmt.Sprintf(", version %d", p.Version)
	}
	if p.Updated != "" {
		s += ", " + p.Updated
	}
	return s + ") " + p.URL + "\n"
}

func (k *call) fetchPages(ctx context.Context, in listPagesIn, paging confluence.Paging) (confluence.List[pageRow], error) {
	switch {
	case in.ParentID != "" && in.Depth > 1:
		nodes, err := k.site.Descendants(ctx, in.ParentID, in.Depth, paging)
		return k.nodeRows(nodes), err
	case in.ParentID != "":
		nodes, err := k.children(ctx, in.ParentID, paging)
		return k.nodeRows(nodes), err
	case in.Label != "" || in.ChangedSince != "":
		return k.searchPages(ctx, in, paging)
	}
	space := k.on.space
	if space == nil {
		var err error
		if space, err = k.findSpace(ctx, in.SpaceKey); err != nil {
			return confluence.List[pageRow]{}, err
		}
	}
	pages, err := k.site.Pages(ctx, confluence.PageFilter{SpaceID: space.ID, Status: confluence.StatusCurrent}, paging)
	rows := confluence.List[pageRow]{Next: pages.Next, Total: pages.Total, ReadAt: pages.ReadAt, Stale: pages.Stale}
	for _, p := range pages.Items {
		rows.Items = append(rows.Items, pageRow{PageID: p.ID, Type: cmp.Or(p.Type, onPage), Title: line(p.Title), SpaceKey: space.Key, ParentID: p.ParentID,
			Version: p.Version.Number, Updated: stamp(p.Version.CreatedAt), URL: p.WebURL, status: p.Status})
	}
	return rows, err
}

// children lists below a page, or below a folder when there is no such page.
func (k *call) children(ctx context.Context, id string, paging confluence.Paging) (confluence.List[confluence.Node], error) {
	nodes, err := k.site.Children(ctx, id, confluence.TypePage, paging)
	if confluence.KindOf(err) == confluence.NotFound {
		return k.site.Children(ctx, id, confluence.TypeFolder, paging)
	}
	return nodes, err
}

func (k *call) nodeRows(nodes confluence.List[confluence.Node]) confluence.List[pageRow] {
	rows := confluence.List[pageRow]{Next: nodes.Next, Total: nodes.Total, ReadAt: nodes.ReadAt, Stale: nodes.Stale}
	key := ""
	if k.on.page != nil {
		key = k.on.page.SpaceKey
	}
	for _, n := range nodes.Items {
		rows.Items = append(rows.Items, pageRow{PageID: n.ID, Type: cmp.Or(n.Type, onPage), Title: line(n.Title), SpaceKey: key, ParentID: n.ParentID,
			Depth: n.Depth, URL: k.nodeURL(cmp.Or(n.Type, onPage), n.ID, n.Title, key), status: n.Status})
	}
	return rows
}

// nodeURL is the address of an entry of the tree, which Confluence does not
// send with it, in the form it has everywhere else.
func (k *call) nodeURL(kind, id, title, spaceKey string) string {
	switch {
	case spaceKey == "":
		return k.info.BaseURL + "/pages/viewpage.action?pageId=" + id
	case kind == confluence.TypePage:
		return k.info.BaseURL + "/spaces/" + spaceKey + "/pages/" + id + "/" + url.QueryEscape(title)
	default:
		return k.info.BaseURL + "/spaces/" + spaceKey + "/" + url.PathEscape(kind) + "/" + id
	}
}

// fillRows adds what the tree and the search do not tell of a page: its
// version, its space and its own address.
func (k *call) fillRows(ctx context.Context, rows []pageRow) {
	pages := pagesOf(ctx, k, rows, func(p pageRow) (string, string) {
		if p.Version > 0 {
			return "", ""
		}
		return p.Type, p.PageID
	})
	key := ""
	for i, row := range rows {
		if p, ok := pages[row.PageID]; ok {
			key = cmp.Or(key, p.SpaceKey)
			rows[i].Version, rows[i].Updated = p.Version.Number, stamp(p.Version.CreatedAt)
			rows[i].SpaceKey, rows[i].URL = cmp.Or(p.SpaceKey, row.SpaceKey), cmp.Or(p.WebURL, row.URL)
		}
	}
	for i, row := range rows {
		if row.SpaceKey == "" { // a folder in a tree, which lies in one space
			rows[i].SpaceKey, rows[i].URL = key, k.nodeURL(row.Type, row.PageID, row.Title, key)
		}
	}
}

func (k *call) searchPages(ctx context.Context, in listPagesIn, paging confluence.Paging) (confluence.List[pageRow], error) {
	where := []string{"type in (page, blogpost)"}
	if in.SpaceKey != "" {
		where = append(where, "space = "+confluence.QuoteCQL(in.SpaceKey))
	}
	if in.Label != "" {
		where = append(where, "label = "+confluence.QuoteCQL(in.Label))
	}
	if in.ChangedSince != "" {
		where = append(where, k.changedSince(in.ChangedSince))
	}
	terms := k.termsOf(searchIn{Query: "*", SpaceKey: in.SpaceKey, Label: in.Label, UpdatedSince: in.ChangedSince})
	q := query{where: strings.Join(where, " AND "), order: "ORDER BY lastmodified DESC"}
	only, _ := k.bounds()
	hits, err := k.site.Search(ctx, confluence.Search{CQL: q.within(only), Terms: terms, Paging: paging})
	rows := confluence.List[pageRow]{Next: hits.Next, Total: hits.Total, ReadAt: hits.ReadAt, Stale: hits.Stale}
	for _, h := range hits.Items {
		rows.Items = append(rows.Items, pageRow{PageID: h.ID, Type: h.Type, Title: line(h.Title), SpaceKey: h.SpaceKey, Version: h.Version, Updated: stamp(h.Updated), URL: h.WebURL})
	}
	return rows, err
}

// stamp is a time as answers show it, empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// typeOf tells page from blog post; they live under different paths.
func (k *call) typeOf(ctx context.Context, id string) (string, error) {
	if k.on.page == nil {
		p, err := k.findPage(ctx, target{id: id})
		if err != nil {
			return "", err
		}
		k.on.page = p
	}
	return cmp.Or(k.on.page.Type, onPage), nil
}
