package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/audit"
)

// Recorded is an entry of the log with what came of it. Outcome.Result is
// audit.Unfinished while the call runs, and for ever when the process died in
// it.
type Recorded struct {
	ID      int64 // number of its line
	Entry   audit.Entry
	Outcome audit.Outcome
}

// AuditFilter says which entries are wanted; a zero field wants all.
type AuditFilter struct {
	Since     time.Time // of this moment or later
	Until     time.Time // before this moment
	Tool      string
	Agent     string // first part of the principal
	Principal string
	Effect    string
	Resource  string // id
	Space     string // key
	Trace     string // trace id
	Writes    bool   // only calls of tools that write
	Limit     int    // the newest so many; at most 10,000, which 0 means too
}

const maxRecorded = 10_000

// Audit lists the newest entries that fit f, oldest first.
func (p *Precious) Audit(ctx context.Context, f AuditFilter) ([]Recorded, error) {
	if f.Limit <= 0 || f.Limit > maxRecorded {
		f.Limit = maxRecorded
	}
	head, err := p.AuditHead(ctx)
	if err != nil {
		return nil, err
	}
	where, args := f.where()
	var out []Recorded
	for top := head.Seq; top > 0 && len(out) < f.Limit; top -= auditBlock {
		found, err := p.recorded(ctx, where, append([]any{top - auditBlock, top}, append(args, f.Limit-len(out))...))
		if err != nil {
			return nil, fmt.Errorf("audit list: %w", err)
		}
		out = append(out, found...)
	}
	slices.Reverse(out)
	return out, nil
}

// where are the conditions of f on the line of an entry, d.
func (f AuditFilter) where() (string, []any) {
	conditions, args := []string{"d.seq > ? AND d.seq <= ? AND d.kind = 'decided'"}, []any{}
	add := func(wanted bool, condition string, arg any) {
		if wanted {
			conditions, args = append(conditions, condition), append(args, arg)
		}
	}
	add(!f.Since.IsZero(), "d.line ->> '$.ts' >= ?", at(f.Since))
	add(!f.Until.IsZero(), "d.line ->> '$.ts' < ?", at(f.Until))
	add(f.Tool != "", "d.line ->> '$.tool' = ?", f.Tool)
	add(f.Agent != "", "substr(d.line ->> '$.principal', 1, instr(d.line ->> '$.principal', '|') - 1) = ?", f.Agent)
	add(f.Principal != "", "d.line ->> '$.principal' = ?", f.Principal)
	add(f.Effect != "", "d.line ->> '$.effect' = ?", f.Effect)
	add(f.Resource != "", "d.line ->> '$.resource_id' = ?", f.Resource)
	add(f.Space != "", "d.line ->> '$.space_key' = ?", f.Space)
	add(f.Trace != "", "d.line ->> '$.trace_id' = ?", f.Trace)
	add(f.Writes, "d.line ->> '$.write' = ?", 1)
	return strings.Join(conditions, " AND "), args
}

func (p *Precious) recorded(ctx context.Context, where string, args []any) ([]Recorded, error) {
	rows, err := p.db.QueryContext(ctx, `SELECT d.seq, d.line, COALESCE(f.line, '')
		FROM audit_line d LEFT JOIN audit_line f ON f.entry = d.seq AND f.kind = 'finished'
		WHERE `+where+` ORDER BY d.seq DESC LIMIT ?`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []Recorded
	for rows.Next() {
		r, err := scanRecorded(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func scanRecorded(rows *sql.Rows) (Recorded, error) {
	var r Recorded
	var decided, finished string
	err := rows.Scan(&r.ID, &decided, &finished)
	if err != nil {
		return r, err
	}
	if r.Entry, err = audit.ReadEntry(decided); err != nil {
		return r, unreadable(r.ID, err)
	}
	if finished == "" {
		return r, nil
	}
	if r.Outcome, err = audit.ReadOutcome(finished); err != nil {
		return r, unreadable(r.ID, err)
	}
	return r, nil
}
