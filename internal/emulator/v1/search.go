package v1

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/emulator/cql"
	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

func (k *kit) searchRoutes() []wire.Route {
	search := anyOf("search:confluence", "read:content-details:confluence")
	return []wire.Route{
		get("search", search, reading(k.search)),
		get("content/search", search, reading(k.contentSearch)),
	}
}

// hit is one found thing: a content or a space.
type hit struct {
	content *site.Content
	space   *site.Space
	rank    int
}

// cursor is where a search goes on: in which query, and whether the walk is
// sparse.
type cursor struct {
	CQL    string `json:"q"`
	Offset int    `json:"o"`
	Sparse bool   `json:"s,omitempty"`
}

func (c cursor) String() string {
	raw, _ := json.Marshal(c) // two plain fields cannot fail
	return base64.RawURLEncoding.EncodeToString(raw)
}

// position reads query and offset of a search; start is ignored.
func (q request) position() (cursor, error) {
	at := cursor{CQL: q.query("cql")}
	text := q.query("cursor")
	if text == "" {
		return at, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil || at.Offset < 0 || at.Offset > math.MaxInt32 || q.query("cql") != "" && q.query("cql") != at.CQL {
		return at, refuse(http.StatusBadRequest, "Invalid cursor")
	}
	return at, nil
}

// limit reads the limit of a search.
func (q request) searchLimit(most int) (int, error) {
	text := q.query("limit")
	if text == "" {
		return min(25, most), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, refuse(http.StatusBadRequest, "limit must be a non-negative number")
	}
	return min(n, most), nil
}

func (q request) parseText(text string, users bool) (*cql.Query, error) {
	query, err := cql.Parse(text, cql.Env{User: q.call.User, Now: q.call.Site.Now(), Zone: time.UTC, Users: users})
	if errors.Is(err, cql.ErrCrash) {
		return nil, refuse(http.StatusInternalServerError, "%s", err)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%s", err)
	}
	return query, nil
}

// find lists what a query finds, at most enough where the order allows to stop.
func (k *kit) find(v *site.View, q request, query *cql.Query, enough int) []hit {
	d := &document{kit: k, site: q.call.Site, view: v}
	open := k.searchable(v, q)
	stops := !query.Ordered() && !query.Ranked()
	wanted := func(c *site.Content) bool {
		d.c = c
		return open[c.Space] && query.Match(d)
	}
	var found []hit
	for c := range v.IndexedWhere(wanted) {
		found = append(found, hit{content: c, rank: query.Rank(d)})
		if stops && len(found) >= enough {
			break
		}
	}
	return found
}

// places lists the spaces a query finds. Only one that names the type gets any.
func (k *kit) places(v *site.View, q request, query *cql.Query) []hit {
	if !slices.Contains(query.Types(), "space") {
		return nil
	}
	open := k.searchable(v, q)
	var found []hit
	for _, sp := range v.Spaces() {
		if open[sp.Key] && query.Match(place{sp}) {
			found = append(found, hit{space: sp})
		}
	}
	return found
}

// searchable says which spaces are searched: archived ones only when asked.
func (k *kit) searchable(v *site.View, q request) map[string]bool {
	archived, current := q.query("includeArchivedSpaces") == "true", q.query("excludeCurrentSpaces") != "true"
	open := map[string]bool{}
	for _, sp := range v.Spaces() {
		open[sp.Key] = sp.Status == "archived" && archived || sp.Status != "archived" && current
	}
	return open
}

// order sorts what was found: as the query says, else by rank, else as found.
func (k *kit) order(found []hit, v *site.View, q request, query *cql.Query) {
	if !query.Ordered() {
		slices.SortStableFunc(found, func(a, b hit) int { return b.rank - a.rank })
		return
	}
	x, y := &document{kit: k, site: q.call.Site, view: v}, &document{kit: k, site: q.call.Site, view: v}
	slices.SortStableFunc(found, func(a, b hit) int { return query.Compare(a.document(x), b.document(y)) })
}

func (h hit) document(d *document) cql.Document {
	if h.space != nil {
		return place{h.space}
	}
	d.c = h.content
	return d
}

const (
	mostHits    = 1000
	mostRenders = 25 // with rendered bodies
	sparseFrom  = 50 // pages this large have gaps
)

// search is /search: contents and spaces, page by cursor only.
func (k *kit) search(v *site.View, q request) (any, error) {
	at, limit, query, err := q.searching(mostHits)
	if err != nil {
		return nil, err
	}
	found := k.find(v, q, query, math.MaxInt)
	found = append(found, k.places(v, q, query)...)
	k.order(found, v, q, query)
	if at.Offset == 0 {
		at.Sparse = limit >= sparseFrom
	}
	slots := found
	if at.Sparse {
		slots = gaps(found)
	}
	list := []any{}
	for _, h := range cut(slots, window{at.Offset, limit}) {
		row, err := q.row(v, h, query.Terms())
		if err != nil {
			return nil, err
		}
		if row != nil {
			list = append(list, row)
		}
	}
	links := object{"base": q.call.Base, "context": "/wiki", "self": q.link("/rest/api/search?cql=" + url.QueryEscape(at.CQL))}
	if at.Offset+limit < len(slots) && limit > 0 {
		on := cursor{at.CQL, at.Offset + limit, at.Sparse}
		links["next"] = q.nextSearch("/rest/api/search", on, limit)
	}
	return object{"results": list, "start": at.Offset, "limit": limit, "size": len(list), "totalSize": len(slots),
		"cqlQuery": at.CQL, "searchDuration": 1, "_links": links}, nil
}

// nextSearch is a next link. As on the live service it repeats cql, limit and
// expand, and forgets the rest (excerpt, includeArchivedSpaces).
func (q request) nextSearch(path string, on cursor, limit int) string {
	link := path + "?next=true&cursor=" + on.String()
	if ex := q.URL.Query()["expand"]; len(ex) > 0 {
		link += "&" + url.Values{"expand": {strings.Join(ex, ",")}}.Encode()
	}
	return link + "&limit=" + strconv.Itoa(limit) + "&cql=" + url.QueryEscape(on.CQL)
}

// searching reads what both searches are asked.
func (q request) searching(most int) (at cursor, limit int, query *cql.Query, err error) {
	if at, err = q.position(); err != nil {
		return at, 0, nil, err
	}
	if limit, err = q.searchLimit(most); err != nil {
		return at, 0, nil, err
	}
	query, err = q.parseText(at.CQL, false)
	return at, limit, query, err
}

// gaps puts stale entries among the hits, as the real index has them: they
// count for totalSize and for the page's size and never show up, so that a
// short page is not the end.
func gaps(found []hit) []hit {
	out := make([]hit, 0, len(found)+len(found)/8)
	for i, h := range found {
		if out = append(out, h); i%16 == 7 {
			out = append(out, hit{})
		}
	}
	return out
}

// row renders one result of /search; nil for a gap.
func (q request) row(v *site.View, h hit, terms []string) (object, error) {
	mode := q.query("excerpt")
	marked := mode == "" || mode == "highlight" || mode == "highlight_unescaped"
	titled := func(title string) string {
		if marked {
			return highlight(title, terms, true)
		}
		return html.EscapeString(title)
	}
	row := object{"breadcrumbs": []any{}, "score": 0.0}
	switch {
	case h.space != nil:
		sp := q.space(v, h.space, q.expand["space"])
		delete(sp, "id") // the live service gives spaces by key only here
		row["space"], row["entityType"], row["iconCssClass"] = sp, "space", "aui-icon content-type-space"
		row["title"], row["url"], row["lastModified"] = titled(h.space.Name), "/spaces/"+h.space.Key, stamp(h.space.Created)
		row["excerpt"] = excerpt(h.space.Description, mode, terms)
		return row, nil
	case h.content == nil:
		return nil, nil
	}
	c := h.content
	body, err := q.content(v, c, q.expand["content"])
	if err != nil {
		return nil, err
	}
	row["content"], row["entityType"], row["iconCssClass"] = body, "content", "aui-icon content-type-"+c.Type
	row["title"], row["url"], row["lastModified"] = titled(displayTitle(v, c)), webPath(v, c), stamp(c.Updated)
	row["friendlyLastModified"] = c.Updated.UTC().Format("Jan 02, 2006")
	row["excerpt"] = excerpt(plain(c.Storage), mode, terms)
	if sp, ok := v.SpaceByKey(c.Space); ok {
		row["resultGlobalContainer"] = object{"title": sp.Name, "displayUrl": "/spaces/" + sp.Key}
	}
	return row, nil
}

// contentSearch is /content/search: contents only, with expand. A full page
// always has a next link, so the last page may be empty.
func (k *kit) contentSearch(v *site.View, q request) (any, error) {
	most := mostHits
	if q.expand.has("body", "export_view") || q.expand.has("body", "styled_view") {
		most = mostRenders
	}
	at, limit, query, err := q.searching(most)
	if err != nil {
		return nil, err
	}
	found := k.find(v, q, query, at.Offset+limit)
	k.order(found, v, q, query)
	list := []any{}
	for _, h := range cut(found, window{at.Offset, limit}) {
		body, err := q.content(v, h.content, q.expand)
		if err != nil {
			return nil, err
		}
		list = append(list, body)
	}
	links := object{"base": q.call.Base, "context": "/wiki", "self": q.link("/rest/api/content/search?cql=" + url.QueryEscape(at.CQL))}
	if len(list) == limit && limit > 0 {
		links["next"] = q.nextSearch("/rest/api/content/search", cursor{at.CQL, at.Offset + limit, false}, limit)
	}
	return object{"results": list, "start": at.Offset, "limit": limit, "size": len(list), "_links": links}, nil
}
