package mirror

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

// Ref names content. Integration 0 means any: the first that the caller may see.
type Ref struct {
	Integration int64
	ID          string
}

// Page is a page, a blog post or a folder as the mirror has it; Stale is set by
// the rights of its space and of the caller. Listings leave Body and Text empty.
type Page struct {
	confluence.Page
	Integration int64
	Index       uint32 // of its node, as in a search index
	Labels      []string
	Text        string
	ReadAt      time.Time // when it was last read from Confluence
	RightsAt    time.Time // when the rights of its space were last read completely
}

// reading is one state of the database, the rights that belong to it, and who
// asks.
type reading struct {
	*sql.Tx
	ctx  context.Context
	m    *Mirror
	who  identity.Caller
	at   time.Time
	view *guard.View

	unsure map[uint32]uint32 // a node by its class, of which only Confluence knows
}

// View gives the rights of a caller now, for a search that filters by itself.
// Keep it for the whole query.
func (m *Mirror) View(who identity.Caller) *guard.View {
	return m.view(m.published.Load().snapshot, who, m.now())
}

// view is how a caller sees a snapshot, with what Confluence answered lately.
func (m *Mirror) view(s *guard.Snapshot, who identity.Caller, now time.Time) *guard.View {
	v := m.cache.View(s, who, now)
	if m.verify != nil && s.Verifies() {
		return v.With(m.asked.of(who, s, now))
	}
	return v
}

// reads runs fn on one moment of the mirror, and again on a later one when
// Confluence had to be asked: nothing waits for it with the database in hand. fn
// begins its answer anew each time.
func (m *Mirror) reads(ctx context.Context, op string, who identity.Caller, fn func(*reading) error) error {
	for round := 0; ; round++ {
		var open []doubt
		err := m.once(ctx, op, who, func(r *reading) error {
			said := fn(r)
			var failed error
			open, failed = r.doubts()
			return errors.Join(said, failed)
		})
		if len(open) == 0 || round == askRounds || err != nil && confluence.KindOf(err) != confluence.NotFound {
			return err
		}
		m.ask(ctx, who, open)
	}
}

func (m *Mirror) once(ctx context.Context, op string, who identity.Caller, fn func(*reading) error) error {
	for {
		tx, err := m.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return m.failure(op, err)
		}
		var epoch uint64
		if err := tx.StmtContext(ctx, m.stmts[epochQuery]).QueryRowContext(ctx).Scan(&epoch); err != nil {
			return m.failure(op, errors.Join(err, tx.Rollback()))
		}
		now := m.published.Load()
		if now.snapshot.Epoch() == epoch {
			at := m.now()
			r := &reading{Tx: tx, ctx: ctx, m: m, who: who, at: at, view: m.view(now.snapshot, who, at)}
			return m.failure(op, errors.Join(fn(r), tx.Rollback()))
		}
		if err := tx.Rollback(); err != nil {
			return m.failure(op, err)
		}
		if now.snapshot.Epoch() < epoch { // committed, to be published in a moment
			select {
			case <-now.next:
			case <-ctx.Done():
				return m.failure(op, ctx.Err())
			}
		}
	}
}

// sees asks the rights. What they cannot tell is hidden, and remembered as a
// question to Confluence.
func (r *reading) sees(idx uint32) bool {
	verdict := r.view.Check(idx)
	if verdict == guard.Verify && r.m.verify != nil && len(r.unsure) < mostUnsure {
		if r.unsure == nil {
			r.unsure = map[uint32]uint32{}
		}
		if class := r.view.Class(idx); r.unsure[class] == 0 {
			r.unsure[class] = idx
		}
	}
	return verdict == guard.Visible
}

// missing is the one answer about what is not there and what the caller may not
// see.
func missing(op, ref string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: op, Ref: ref,
		Message: "there is no such content, or you may not see it", Next: "Check the id, or search for it."}
}

const pageColumns = `n.idx, n.integration, n.id, n.type, n.parent, n.space, p.title, p.status, p.position, p.author, p.owner, p.created,
	p.version, p.updated, p.updated_by, p.message, p.minor, p.parent_type, p.labels, p.web_url, p.read, p.hash`

const pageTables = " FROM node n JOIN page p ON p.node = n.idx "

// row is a page before its space and parent are looked up.
type row struct {
	Page
	parent, space uint32
	labels        string
	hash          []byte
}

func (p *row) scan(r interface{ Scan(...any) error }) error {
	var created, updated, read int64
	v := &p.Version
	if err := r.Scan(&p.Index, &p.Integration, &p.ID, &p.Type, &p.parent, &p.space, &p.Title, &p.Status, &p.Position, &p.AuthorID, &p.OwnerID, &created,
		&v.Number, &updated, &v.AuthorID, &v.Message, &v.Minor, &p.ParentType, &p.labels, &p.WebURL, &read, &p.hash); err != nil {
		return err
	}
	p.CreatedAt, v.CreatedAt, p.ReadAt = fromMicros(created), fromMicros(updated), fromMicros(read)
	if json.Unmarshal([]byte(p.labels), &p.Labels) != nil {
		p.Labels = nil // the row is not sound
	}
	return nil
}

// sound reports whether the row is what was written of its node. One that is not
// is shown to nobody, and read again by the next pass.
func (p *row) sound() bool { return sound(p.hash, pageFields(p.Index, &p.Page.Page, p.labels)...) }

// What is read over and over is prepared once.
const (
	epochQuery  = "SELECT epoch FROM state"
	idQuery     = "SELECT n.idx, n.integration, n.id FROM node n WHERE n.id = ?1 AND (?2 = 0 OR n.integration = ?2) ORDER BY n.integration"
	indexQuery  = "SELECT n.idx, n.integration, n.id FROM node n WHERE n.idx = ?"
	titleQuery  = "SELECT n.idx, n.integration, n.id" + pageTables + "WHERE p.title = ?1 AND n.space IN (SELECT idx FROM space WHERE key = ?2 AND (?3 = 0 OR integration = ?3)) AND n.type IN ('page', 'blogpost') ORDER BY n.type DESC, n.idx"
	rowQuery    = "SELECT " + pageColumns + pageTables + "WHERE n.idx = ?"
	spaceQuery  = "SELECT id, key, swept FROM space WHERE idx = ?"
	parentQuery = "SELECT id FROM node WHERE idx = ?"
	bodyQuery   = "SELECT storage, text, hash FROM body WHERE node = ?"
)

func (r *reading) ask(query string, args ...any) *sql.Row {
	return r.StmtContext(r.ctx, r.m.stmts[query]).QueryRowContext(r.ctx, args...)
}

// finish adds what stands in other tables.
func (r *reading) finish(p *row) (Page, error) {
	err := r.ask(spaceQuery, p.space).Scan(&p.SpaceID, &p.SpaceKey, (*microTime)(&p.RightsAt))
	if err == nil && p.parent != 0 {
		err = r.ask(parentQuery, p.parent).Scan(&p.ParentID)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	p.Stale = r.view != nil && r.view.Stale(p.space, r.at) // an index asks for nobody
	return p.Page, err
}

type microTime time.Time

// Scan implements sql.Scanner.
func (t *microTime) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time of type %T", v)
	}
	*t = microTime(fromMicros(n))
	return nil
}

// body adds the text, whole: a damaged one is an error.
func (r *reading) body(p *Page) error {
	var hash []byte
	if err := r.ask(bodyQuery, p.Index).Scan(&p.Body, &p.Text, &hash); err != nil {
		return err
	}
	if !sound(hash, p.Index, p.Body, p.Text) {
		return damaged("read body", readAgain, fmt.Errorf("node %d", p.Index))
	}
	return nil
}

// Page gives a page, blog post or folder with its body. Kind NotFound when the
// caller may not see it, or nobody can.
func (m *Mirror) Page(ctx context.Context, who identity.Caller, ref Ref) (Page, error) {
	return m.one(ctx, who, lookup{"get page", "page " + ref.ID, idQuery, []any{ref.ID, ref.Integration}})
}

// PageAt gives the page a search index knows by its node's index.
func (m *Mirror) PageAt(ctx context.Context, who identity.Caller, idx uint32) (Page, error) {
	return m.one(ctx, who, lookup{"get page", fmt.Sprintf("node %d", idx), indexQuery, []any{idx}})
}

// FindPage gives the page or blog post of that very title in a space, the page
// where there are both.
func (m *Mirror) FindPage(ctx context.Context, who identity.Caller, integration int64, spaceKey, title string) (Page, error) {
	return m.one(ctx, who, lookup{"find page", fmt.Sprintf("%q in %s", title, strings.ToUpper(spaceKey)), titleQuery, []any{title, spaceKey, integration}})
}

// lookup is a question for one page, and how it is called in an error.
type lookup struct {
	op, ref, query string
	args           []any
}

func (m *Mirror) one(ctx context.Context, who identity.Caller, l lookup) (Page, error) {
	var out Page
	err := m.reads(ctx, l.op, who, func(r *reading) error {
		found, err := r.first(l.query, l.args...)
		if err != nil {
			return err
		}
		if found == nil {
			return missing(l.op, l.ref)
		}
		if out, err = r.finish(found); err != nil {
			return err
		}
		return r.body(&out)
	})
	if err != nil {
		return Page{}, err
	}
	return out, nil
}

// first gives the first row the caller may see, nil when there is none. Rows are
// looked at only after the rights, so that what is hidden takes no longer than
// what is absent.
func (r *reading) first(query string, args ...any) (*row, error) {
	type candidate struct {
		idx         uint32
		integration int64
		id          string
	}
	var visible []candidate
	rows, err := r.StmtContext(r.ctx, r.m.stmts[query]).QueryContext(r.ctx, args...)
	err = eachRow(rows, err, func(s *sql.Rows) error {
		var c candidate
		if err := s.Scan(&c.idx, &c.integration, &c.id); err != nil {
			return err
		}
		if r.sees(c.idx) {
			visible = append(visible, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range visible {
		var p row
		err := p.scan(r.ask(rowQuery, c.idx))
		if errors.Is(err, sql.ErrNoRows) {
			continue // its rights are known, its content is not yet
		}
		if err == nil && !p.sound() {
			continue
		}
		return &p, err
	}
	return nil, nil
}
