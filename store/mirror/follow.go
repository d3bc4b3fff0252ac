package mirror

import (
	"context"
	"database/sql"
	"errors"
)

// Follower reads the change log and what it names, of everybody: an index is
// built from it, and an index shows nothing by itself. A page whose body is
// damaged comes without body and text, and one whose row is comes not at all, so
// that everything else goes on; when [Pass.Put] has made it good, that is a change.
type Follower struct{ m *Mirror }

// Follower gives the following side.
func (m *Mirror) Follower() *Follower { return &Follower{m} }

// Change says that a node has other content, or is gone for good.
type Change struct {
	Seq     int64
	Index   uint32
	Deleted bool
}

// Changes gives the next changes after a number, oldest first.
func (f *Follower) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	var out []Change
	rows, err := f.m.read.QueryContext(ctx, "SELECT seq, node, deleted FROM change WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var c Change
		err := r.Scan(&c.Seq, &c.Index, &c.Deleted)
		out = append(out, c)
		return err
	})
	return out, f.m.failure("follow", err)
}

// Range gives the number before the first change that is kept and the number of
// the last: an index whose number is outside must be built anew.
func (f *Follower) Range(ctx context.Context) (before, last int64, err error) {
	err = f.m.read.QueryRowContext(ctx, `SELECT COALESCE((SELECT MIN(seq) - 1 FROM change), seq.n), seq.n
		FROM (SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0) AS n) AS seq`).Scan(&before, &last)
	return before, last, f.m.failure("follow", err)
}

// Trim forgets changes up to a number.
func (f *Follower) Trim(ctx context.Context, upTo int64) error {
	return f.m.commit(ctx, "trim", func(b *batch) error { return b.exec("DELETE FROM change WHERE seq <= ?", upTo) })
}

// Page gives the content of a node, with its text; false when it is gone.
func (f *Follower) Page(ctx context.Context, idx uint32) (Page, bool, error) {
	pages, _, err := f.pages(ctx, "n.idx = ?", idx)
	if err != nil || len(pages) == 0 {
		return Page{}, false, err
	}
	return pages[0], true, nil
}

// All gives pages after a node's index, by index: what an index is built anew
// from. None: there are no more.
func (f *Follower) All(ctx context.Context, after uint32, limit int) ([]Page, error) {
	for {
		pages, last, err := f.pages(ctx, "n.idx > ? ORDER BY n.idx LIMIT ?", after, limit)
		if err != nil || len(pages) > 0 || last == 0 {
			return pages, err
		}
		after = last // every row up to here is damaged
	}
}

// pages gives the pages whose rows are sound, and the last index of them all.
func (f *Follower) pages(ctx context.Context, where string, args ...any) (sound []Page, last uint32, err error) {
	tx, err := f.m.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, 0, f.m.failure("follow", err)
	}
	r := &reading{Tx: tx, ctx: ctx, m: f.m}
	err = func() error {
		var found []row
		rows, err := tx.QueryContext(ctx, "SELECT "+pageColumns+pageTables+"WHERE "+where, args...)
		err = eachRow(rows, err, func(s *sql.Rows) error {
			var p row
			err := p.scan(s)
			if last = p.Index; p.sound() {
				found = append(found, p)
			}
			return err
		})
		if err != nil {
			return err
		}
		for i := range found {
			p, err := r.finish(&found[i])
			if err == nil {
				err = r.body(&p)
			}
			if DamagedBody(err) {
				p.Body, p.Text, err = "", "", nil
			}
			if err != nil {
				return err
			}
			sound = append(sound, p)
		}
		return nil
	}()
	return sound, last, f.m.failure("follow", errors.Join(err, tx.Rollback()))
}
