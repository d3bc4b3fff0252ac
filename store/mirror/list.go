package mirror

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Filter says which pages to list; what is empty does not filter.
type Filter struct {
	Integration  int64
	SpaceKey     string
	Type         string // page, blogpost, folder
	Label        string
	AuthorID     string // who made it, or saved the newest version
	UpdatedSince time.Time
	Parent       *Ref // direct children, in the order of the page tree
	Ancestor     *Ref // everything below
}

// Limits of a listing.
const (
	defaultLimit = 25
	maxLimit     = 250
)

// position is where a listing goes on: behind this row.
type position struct {
	For   string // digest of the caller and the question
	Order int64
	Title string
	Index uint32
}

// Pages lists what the caller may see, by the order of first reading, children
// of one parent by their place. The cursor of another caller or of another
// question is refused with kind Invalid; a row that was there all the time is
// neither repeated nor left out. Total is -1.
func (m *Mirror) Pages(ctx context.Context, who identity.Caller, f Filter, p confluence.Paging) (confluence.List[Page], error) {
	out := confluence.List[Page]{Items: []Page{}, Total: -1}
	limit := pageSize(p.Limit)
	from, err := resume(p.Cursor, question(who, "pages", f))
	if err != nil {
		return out, err
	}
	err = m.reads(ctx, "list pages", who, func(r *reading) error {
		out.Items, out.Next = []Page{}, ""
		q, err := r.query(f, from)
		if err != nil || q == nil {
			return err
		}
		return r.list(q, limit, from.For, &out)
	})
	if err != nil {
		return confluence.List[Page]{}, err
	}
	return out, nil
}

// Children lists what stands directly below a page or folder, folders included.
// Kind NotFound when the caller may not see that one.
func (m *Mirror) Children(ctx context.Context, who identity.Caller, parent Ref, p confluence.Paging) (confluence.List[Page], error) {
	if _, err := m.Page(ctx, who, parent); err != nil {
		return confluence.List[Page]{}, err
	}
	return m.Pages(ctx, who, Filter{Parent: &parent}, p)
}

// Ancestors lists what stands above a page, root first. Kind NotFound when the
// caller may not see the page.
func (m *Mirror) Ancestors(ctx context.Context, who identity.Caller, ref Ref) ([]Page, error) {
	var out []Page
	err := m.reads(ctx, "list ancestors", who, func(r *reading) error {
		out = []Page{}
		below, err := r.first(idQuery, ref.ID, ref.Integration)
		if err != nil {
			return err
		}
		if below == nil {
			return missing("list ancestors", "page "+ref.ID)
		}
		for idx := r.view.Snapshot().Parent(below.Index); idx != 0; idx = r.view.Snapshot().Parent(idx) {
			up, err := r.first(indexQuery, idx)
			if err != nil {
				return err
			}
			if up == nil {
				continue
			}
			p, err := r.finish(up)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		slices.Reverse(out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// query is a listing in SQL.
type query struct {
	where    []string
	args     []any
	tree     bool // in the order of the page tree
	ancestor uint32
}

const lastPlace = 1 << 40 // of a child without a position

func (q *query) and(where string, args ...any) {
	q.where, q.args = append(q.where, where), append(q.args, args...)
}

// query makes SQL of a filter; nil when nothing can match.
func (r *reading) query(f Filter, from position) (*query, error) {
	q := &query{where: []string{"TRUE"}}
	for _, ref := range []struct {
		of   *Ref
		into func(uint32)
	}{
		{f.Parent, func(idx uint32) { q.tree = true; q.and("n.parent = ?", idx) }},
		{f.Ancestor, func(idx uint32) { q.ancestor = idx }},
	} {
		if ref.of == nil {
			continue
		}
		up, err := r.first(idQuery, ref.of.ID, ref.of.Integration)
		if err != nil || up == nil {
			return nil, err
		}
		ref.into(up.Index)
	}
	if f.Integration != 0 {
		q.and("n.integration = ?", f.Integration)
	}
	if f.SpaceKey != "" {
		if err := r.inSpace(q, f); err != nil {
			return nil, err
		}
	}
	if f.Type != "" {
		q.and("n.type = ?", f.Type)
	}
	if f.Label != "" {
		q.and("n.idx IN (SELECT node FROM label WHERE name = ?)", f.Label)
	}
	if f.AuthorID != "" {
		q.and("(p.author = ? OR p.updated_by = ?)", f.AuthorID, f.AuthorID)
	}
	if !f.UpdatedSince.IsZero() {
		q.and("p.updated >= ?", micros(f.UpdatedSince))
	}
	if q.tree {
		q.and("(COALESCE(p.position, ?), p.title, n.idx) > (?, ?, ?)", int64(lastPlace), from.Order, from.Title, from.Index)
	} else {
		q.and("n.idx > ?", from.Index)
	}
	return q, nil
}

// inSpace names spaces by their indexes: the rows of one come in order.
func (r *reading) inSpace(q *query, f Filter) error {
	var in []string
	rows, err := r.QueryContext(r.ctx, "SELECT idx FROM space WHERE key = ?1 AND (?2 = 0 OR integration = ?2)", f.SpaceKey, f.Integration)
	err = eachRow(rows, err, func(s *sql.Rows) error {
		var idx uint32
		err := s.Scan(&idx)
		in = append(in, strconv.FormatUint(uint64(idx), 10))
		return err
	})
	if len(in) == 1 {
		q.and("n.space = " + in[0])
	} else {
		q.and("n.space IN (" + strings.Join(in, ", ") + ")")
	}
	return err
}

func (r *reading) list(q *query, limit int, digest string, out *confluence.List[Page]) error {
	order := "n.idx"
	if q.tree {
		order = fmt.Sprintf("COALESCE(p.position, %d), p.title, n.idx", int64(lastPlace))
	}
	var found []row
	more := false
	rows, err := r.QueryContext(r.ctx, "SELECT "+pageColumns+pageTables+"WHERE "+strings.Join(q.where, " AND ")+" ORDER BY "+order, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p row
		if err := p.scan(rows); err != nil {
			return err
		}
		if q.ancestor != 0 && !r.view.Snapshot().Under(p.Index, q.ancestor) || !r.sees(p.Index) || !p.sound() {
			continue
		}
		if len(found) == limit {
			more = true
			break
		}
		found = append(found, p)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i := range found {
		p, err := r.finish(&found[i])
		if err != nil {
			return err
		}
		out.Items = append(out.Items, p)
	}
	if more {
		out.Next = found[limit-1].cursor(digest)
	}
	return nil
}

// cursor goes on behind a row.
func (p *row) cursor(digest string) string {
	at := position{For: digest, Order: lastPlace, Title: p.Title, Index: p.Index}
	if p.Position != nil {
		at.Order = int64(*p.Position)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text(at)))
}

func pageSize(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// question is a digest of who asks what.
func question(who identity.Caller, parts ...any) string {
	sum := sha256.Sum256([]byte(who.Principal() + text(parts)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func resume(cursor, question string) (position, error) {
	if cursor == "" {
		return position{For: question, Order: -1 << 40}, nil
	}
	var p position
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil || p.For != question {
		return p, &confluence.Error{Kind: confluence.Invalid, Code: "input.cursor", Op: "list", Message: "the cursor belongs to no such listing of yours",
			Next: "Start again without a cursor."}
	}
	return p, nil
}

// Attachment is the metadata of a file, with where it is.
type Attachment struct {
	confluence.Attachment
	Integration int64
}

const attachmentColumns = "n.integration, n.idx, n.id, a.id, a.title, a.media_type, a.size, a.comment, a.version, a.updated, a.updated_by, a.web_url, a.hash"

const attachmentTables = " FROM attachment a JOIN node n ON n.idx = a.node "

// file is a row of the table attachment.
type file struct {
	Attachment
	node uint32
	hash []byte
}

func (f *file) scan(r interface{ Scan(...any) error }) error {
	var updated int64
	err := r.Scan(&f.Integration, &f.node, &f.PageID, &f.ID, &f.Title, &f.MediaType, &f.Size, &f.Comment, &f.Version.Number, &updated, &f.Version.AuthorID, &f.WebURL, &f.hash)
	f.Version.CreatedAt = fromMicros(updated)
	return err
}

// sound is like that of a [row].
func (f *file) sound() bool {
	return sound(f.hash, fileFields(f.node, &f.Attachment.Attachment)...)
}

func (r *reading) attachments(where string, args ...any) ([]Attachment, error) {
	out := []Attachment{}
	rows, err := r.QueryContext(r.ctx, "SELECT "+attachmentColumns+attachmentTables+"WHERE "+where+" ORDER BY n.idx, a.title, a.id", args...)
	err = eachRow(rows, err, func(s *sql.Rows) error {
		var f file
		if err := f.scan(s); err != nil {
			return err
		}
		if r.sees(f.node) && f.sound() {
			out = append(out, f.Attachment)
		}
		return nil
	})
	return out, err
}

// Attachments lists the files of a page, by name. Kind NotFound when the caller
// may not see the page.
func (m *Mirror) Attachments(ctx context.Context, who identity.Caller, ref Ref) ([]Attachment, error) {
	var out []Attachment
	err := m.reads(ctx, "list attachments", who, func(r *reading) error {
		page, err := r.first(idQuery, ref.ID, ref.Integration)
		if err != nil {
			return err
		}
		if page == nil {
			return missing("list attachments", "page "+ref.ID)
		}
		out, err = r.attachments("n.idx = ?", page.Index)
		return err
	})
	return out, err
}

// Attachment gives one file's metadata: it has the visibility of its page.
func (m *Mirror) Attachment(ctx context.Context, who identity.Caller, ref Ref) (Attachment, error) {
	var out Attachment
	err := m.reads(ctx, "get attachment", who, func(r *reading) error {
		found, err := r.attachments("a.id = ? AND (? = 0 OR n.integration = ?)", ref.ID, ref.Integration, ref.Integration)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return missing("get attachment", "attachment "+ref.ID)
		}
		out = found[0]
		return nil
	})
	return out, err
}

// Space is a space and how fresh its rights are.
type Space struct {
	confluence.Space
	Integration int64
	Index       uint32
	RightsAt    time.Time
}

// Spaces lists the spaces the caller may view, by integration and key; key
// filters when not empty, integration when not 0.
func (m *Mirror) Spaces(ctx context.Context, who identity.Caller, integration int64, key string) ([]Space, error) {
	out := []Space{}
	err := m.reads(ctx, "list spaces", who, func(r *reading) error {
		rows, err := r.QueryContext(r.ctx, "SELECT "+spaceColumns+" FROM space WHERE (?1 = 0 OR integration = ?1) AND (?2 = '' OR key = ?2) ORDER BY integration, key", integration, key)
		return eachRow(rows, err, func(s *sql.Rows) error {
			var sp space
			if err := sp.scan(s); err != nil {
				return err
			}
			if r.view.SeesSpace(sp.idx) {
				out = append(out, Space{Integration: sp.integration, Index: sp.idx, RightsAt: fromMicros(sp.swept), Space: confluence.Space{ID: sp.id, Key: sp.key,
					Name: sp.name, Stale: r.view.Stale(sp.idx, r.at), Type: sp.kind, Status: sp.status, HomepageID: sp.homepage, Description: sp.description, WebURL: sp.webURL}})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
