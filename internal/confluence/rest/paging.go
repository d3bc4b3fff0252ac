package rest

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"confluence-mcp/internal/confluence"
)

// Largest pages Confluence gives.
const (
	maxV2Limit     = 250
	maxV1Limit     = 200
	maxSearchLimit = 100
	maxCursor      = 4096 // bytes
)

// links are the _links of an answer, of a list or of one thing.
type links struct {
	Next  string `json:"next"`
	Base  string `json:"base"`
	WebUI string `json:"webui"`
}

// batch is one page of any listing.
type batch[T any] struct {
	Results   []T   `json:"results"`
	TotalSize *int  `json:"totalSize"`
	Links     links `json:"_links"`
}

// listCursor reads one page of a v2 listing, or of CQL search, which pages by
// cursor as well. A short or empty page is not the end, a missing next is.
func listCursor[R, T any](ctx context.Context, c *Client, req *call, p confluence.Paging, shape func(R) T) (confluence.List[T], error) {
	if err := checkCursor(p.Cursor); err != nil {
		return confluence.List[T]{}, about(err, req)
	}
	if req.limit == 0 {
		req.limit = maxList
	}
	req.set("cursor", p.Cursor)
	b, err := fetch[batch[R]](ctx, c.w, req)
	if err != nil {
		return confluence.List[T]{}, c.judged(ctx, staleCursor(err, p))
	}
	next, err := c.w.nextParam(req, b.Links.Next, "cursor")
	if err != nil {
		return confluence.List[T]{}, err
	}
	return listOf(c, b, shape, next), nil
}

// listOffset reads one page of a v1 listing. The cursor is the offset of the
// next row.
func listOffset[R, T any](ctx context.Context, c *Client, req *call, p confluence.Paging, shape func(R) T) (confluence.List[T], error) {
	start := 0
	if p.Cursor != "" {
		n, err := strconv.Atoi(p.Cursor)
		if err != nil || n < 0 || len(p.Cursor) > 9 {
			return confluence.List[T]{}, about(badCursor(), req)
		}
		start = n
	}
	req.limit = maxList
	req.set("start", strconv.Itoa(start)).set("limit", limitOf(p, maxV1Limit))
	b, err := fetch[batch[R]](ctx, c.w, req)
	if err != nil {
		return confluence.List[T]{}, c.judged(ctx, err)
	}
	if _, err := c.w.nextParam(req, b.Links.Next, "start"); err != nil {
		return confluence.List[T]{}, err
	}
	next := ""
	if b.Links.Next != "" && len(b.Results) > 0 {
		next = strconv.Itoa(start + len(b.Results))
	}
	return listOf(c, b, shape, next), nil
}

func listOf[R, T any](c *Client, b batch[R], shape func(R) T, next string) confluence.List[T] {
	c.learnBase(b.Links.Base)
	l := confluence.List[T]{Items: make([]T, 0, len(b.Results)), Next: next, Total: -1}
	if b.TotalSize != nil {
		l.Total = *b.TotalSize
	}
	for _, r := range b.Results {
		l.Items = append(l.Items, shape(r))
	}
	return l
}

func limitOf(p confluence.Paging, most int) string {
	if p.Limit <= 0 {
		return ""
	}
	return strconv.Itoa(min(p.Limit, most))
}

func checkCursor(cursor string) error {
	if len(cursor) > maxCursor {
		return badCursor()
	}
	for _, r := range cursor {
		if r <= ' ' || r >= 0x7f {
			return badCursor()
		}
	}
	return nil
}

// staleCursor tells a refused cursor, which asks for a new listing, from other
// bad requests.
func staleCursor(err error, p confluence.Paging) error {
	if f := asFailure(err); f != nil && f.status == http.StatusBadRequest && p.Cursor != "" && strings.Contains(strings.ToLower(f.upstream), "cursor") {
		f.say("input.cursor", "Confluence no longer knows the cursor", "Repeat the listing without a cursor.")
	}
	return err
}

func badCursor() *confluence.Error {
	return &confluence.Error{
		Kind: confluence.Invalid, Code: "input.cursor", Message: "the cursor is not one that was given out",
		Next: "Repeat the listing without a cursor.",
	}
}

func about(err error, c *call) error {
	if e, ok := err.(*confluence.Error); ok { //nolint:errorlint // made right above, never wrapped
		e.Op, e.Ref = c.op, c.ref
	}
	return err
}

// nextParam judges the link to the next page and takes only one parameter out
// of it: the address of the next request is built here, never taken over. The
// link must lead to the path that was just asked, on this site.
func (w *wire) nextParam(c *call, next, name string) (string, error) {
	if next == "" {
		return "", nil
	}
	u, err := url.Parse(next)
	if err != nil || u.User != nil || u.Opaque != "" || !w.ours(u) || !samePath(u, w.base.prefix, c.path) {
		return "", c.badNext("the link to the next page of the listing leads elsewhere")
	}
	value := u.Query().Get(name)
	if value == "" || checkCursor(value) != nil {
		return "", c.badNext("the link to the next page of the listing cannot be read")
	}
	return value, nil
}

func (c *call) badNext(message string) error {
	e := redirectBlocked(message)
	e.Op, e.Ref, e.Next = c.op, c.ref, "Check the base URL and what stands between here and Confluence."
	return &failure{problem: e}
}

func (w *wire) ours(u *url.URL) bool {
	if u.Host == "" {
		return u.Scheme == ""
	}
	return u.Scheme == w.base.scheme && strings.EqualFold(u.Host, w.base.host)
}

// samePath accepts the path with and without gateway prefix and /wiki.
func samePath(u *url.URL, prefix, p string) bool {
	if u.EscapedPath() != u.Path {
		return false
	}
	short := strings.TrimPrefix(p, wikiContext)
	return u.Path == p || u.Path == short || prefix != "" && (u.Path == prefix+p || u.Path == prefix+short)
}

// All walks a whole listing, page by page, and stops with an error when a
// cursor comes twice. The sequence ends after the first error.
func All[T any](ctx context.Context, list func(context.Context, confluence.Paging) (confluence.List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		p := confluence.Paging{Limit: maxV2Limit}
		seen := map[string]bool{}
		for {
			l, err := list(ctx, p)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, item := range l.Items {
				if !yield(item, nil) {
					return
				}
			}
			if l.Next == "" {
				return
			}
			if seen[l.Next] {
				yield(zero, repeated())
				return
			}
			seen[l.Next] = true
			p.Cursor = l.Next
		}
	}
}

func repeated() error {
	return &confluence.Error{
		Kind: confluence.Unavailable, Op: "list", Message: "the listing of Confluence repeats itself",
		Next: "Try again later.",
	}
}

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var items []T
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}
