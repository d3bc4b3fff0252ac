package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
)

// Begin records a decision and gives the number of its line, which its outcome
// is filed under. When it returns an error the call must not run.
func (p *Precious) Begin(ctx context.Context, e audit.Entry) (int64, error) {
	var id int64
	err := p.inTx(ctx, func(tx *sql.Tx) (err error) {
		id, err = p.chain(ctx, tx, e)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("audit entry: %w", err)
	}
	return id, nil
}

// Finish files the outcome of entry id. An entry has at most one.
func (p *Precious) Finish(ctx context.Context, id int64, o audit.Outcome) error {
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		f := audit.Finish{Time: p.now(), Entry: id, Outcome: o}
		const find = "SELECT line ->> '$.decision_id' FROM audit_line WHERE seq = ? AND kind = 'decided'"
		if err := tx.QueryRowContext(ctx, find, id).Scan(&f.DecisionID); err != nil {
			return err
		}
		_, err := p.chain(ctx, tx, f)
		return err
	})
	if err != nil {
		return fmt.Errorf("audit outcome of %d: %w", id, err)
	}
	return nil
}

// chain puts a record behind the last line, in the transaction that makes what
// it tells of, and gives the number of its line.
func (p *Precious) chain(ctx context.Context, tx *sql.Tx, r audit.Record) (int64, error) {
	head, err := auditHead(ctx, tx)
	if err != nil {
		return 0, err
	}
	l, err := head.Next(r)
	if err != nil {
		return 0, err
	}
	_, err = tx.StmtContext(ctx, p.putLine).ExecContext(ctx, l.Seq, l.Text)
	return l.Seq, err
}

// inTx runs work in one transaction, which holds the only right to write.
func (p *Precious) inTx(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// oneRow is a database or a transaction.
type oneRow interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func auditHead(ctx context.Context, q oneRow) (audit.Head, error) {
	var h audit.Head
	var sum string
	err := q.QueryRowContext(ctx, "SELECT seq, hash FROM audit_head").Scan(&h.Seq, &sum)
	if err != nil {
		return h, fmt.Errorf("audit head: %w", err)
	}
	if _, err := hex.Decode(h.Hash[:], []byte(sum)); err != nil {
		return h, fmt.Errorf("audit head: %w", err)
	}
	return h, nil
}

// auditBlock is how many lines are read at a time. Between two blocks others
// get at the database, so that no long reading holds up a call.
const auditBlock = 500

// AuditLines hands the lines above number after to each, in their order, as
// they are kept.
func (p *Precious) AuditLines(ctx context.Context, after int64, each func(seq int64, line string) error) error {
	for {
		lines, err := p.auditBlock(ctx, after)
		if err != nil {
			return fmt.Errorf("read the audit log behind line %d: %w", after, err)
		}
		for _, l := range lines {
			if err := each(l.Seq, l.Text); err != nil {
				return err
			}
			after = l.Seq
		}
		if len(lines) < auditBlock {
			return nil
		}
	}
}

func (p *Precious) auditBlock(ctx context.Context, after int64) ([]audit.Line, error) {
	rows, err := p.db.QueryContext(ctx, "SELECT seq, line FROM audit_line WHERE seq > ? ORDER BY seq LIMIT ?", after, auditBlock)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []audit.Line
	for rows.Next() {
		var l audit.Line
		if err := rows.Scan(&l.Seq, &l.Text); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// errPast ends a reading at the head it began with.
var errPast = errors.New("past the head")

// VerifyAudit reads the whole log and checks that it is what was written: every
// line unchanged and in its place, up to the head, and fitting the anchors. It
// gives the head. Lines that are written meanwhile are left to the next time.
//
// The error is an [audit.Broken] when a line is bad, something else when the
// database cannot be read.
func (p *Precious) VerifyAudit(ctx context.Context, anchors []audit.Head) (audit.Head, error) {
	head, err := p.auditEnds(ctx)
	if err != nil {
		return head, err
	}
	c := audit.Chain{Anchors: anchors}
	err = p.AuditLines(ctx, math.MinInt64, func(seq int64, line string) error {
		if seq > head.Seq {
			return errPast
		}
		if err := c.Add(line); err != nil {
			return err
		}
		if seq != c.Head.Seq {
			return &audit.Broken{Seq: c.Head.Seq, Reason: fmt.Sprintf("it is filed as line %d", seq)}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errPast) {
		return head, err
	}
	if err := c.End(head); err != nil {
		return head, err
	}
	return head, p.checkIndex(ctx)
}

// checkIndex compares the index that leads from an entry to its outcome with
// the lines. It reads through a connection of its own, because it takes long
// on a long log and nobody should wait for it.
func (p *Precious) checkIndex(ctx context.Context) error {
	db, err := sql.Open("sqlite", preciousDSN(p.path))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing was written
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(audit_line)").Scan(&found); err != nil {
		return fmt.Errorf("check the index of the audit log: %w", err)
	}
	if found != "ok" {
		return &confluence.Error{Kind: confluence.Internal, Code: "store.corrupt", Op: "audit verify",
			Message: "every line of the audit log is as it was written, but the database around them is damaged: " + found,
			Next:    "Stop the server, copy the data folder, then run: sqlite3 precious.db 'REINDEX audit_line_finished'."}
	}
	return nil
}

// auditEnds reads the head and checks that nothing is behind it.
func (p *Precious) auditEnds(ctx context.Context) (audit.Head, error) {
	var head audit.Head
	err := p.inTx(ctx, func(tx *sql.Tx) (err error) {
		if head, err = auditHead(ctx, tx); err != nil {
			return &audit.Broken{Seq: 1, Reason: "the head of the log cannot be read: " + err.Error()}
		}
		var behind int64
		err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM audit_line WHERE seq > ?", head.Seq).Scan(&behind)
		if err == nil && behind > 0 {
			err = &audit.Broken{Seq: head.Seq + 1, Reason: "it was added behind the end"}
		}
		return err
	})
	return head, err
}

// AuditHead is the head of the log: an anchor to be noted elsewhere.
func (p *Precious) AuditHead(ctx context.Context) (audit.Head, error) { return auditHead(ctx, p.db) }

// unreadable is an entry that does not read as one.
func unreadable(seq int64, err error) error {
	return &confluence.Error{Kind: confluence.Internal, Code: "store.audit", Op: "audit list", Err: err,
		Message: fmt.Sprintf("line %d of the audit log cannot be read", seq), Next: "Run: confluence-mcp audit verify."}
}
