package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"confluence-mcp/internal/audit"
)

// Begin records a decision and gives the number its outcome is filed under.
// When it returns an error the call must not run.
func (p *Precious) Begin(ctx context.Context, e audit.Entry) (int64, error) {
	res, err := p.db.ExecContext(ctx, `INSERT INTO audit_entry(at, decision_id, policy_revision, profile, principal, kind, transport,
		tool, grp, action, site, resource_type, resource_id, space_key, effect, reason, rules_matched, rules_errored, args_sha256, dry_run, is_write)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		at(e.Time), e.DecisionID, e.PolicyRevision, e.Profile, e.Principal, e.Kind, e.Transport,
		e.Tool, e.Group, e.Action, e.Site, e.ResourceType, e.ResourceID, e.SpaceKey, e.Effect, e.Reason,
		list(e.RulesMatched), list(e.RulesErrored), e.ArgsSHA256, e.DryRun, e.Write)
	if err != nil {
		return 0, fmt.Errorf("audit entry: %w", err)
	}
	return res.LastInsertId()
}

// Finish files the outcome of entry id. An entry has at most one.
func (p *Precious) Finish(ctx context.Context, id int64, o audit.Outcome) error {
	_, err := p.db.ExecContext(ctx, "INSERT INTO audit_outcome(entry, result, error_code, version, bytes, micros) VALUES (?,?,?,?,?,?)",
		id, o.Result, o.ErrorCode, o.Version, o.Bytes, o.Duration.Microseconds())
	if err != nil {
		return fmt.Errorf("audit outcome of %d: %w", id, err)
	}
	return nil
}

// Recorded is an entry of the log with what came of it. Outcome.Result is
// audit.Unfinished while the call runs, and for ever when the process died in
// it.
type Recorded struct {
	ID      int64
	Entry   audit.Entry
	Outcome audit.Outcome
}

// Audit lists entries with an id above after, oldest first, at most limit.
func (p *Precious) Audit(ctx context.Context, after int64, limit int) ([]Recorded, error) {
	rows, err := p.db.QueryContext(ctx, `SELECT id, at, decision_id, policy_revision, profile, principal, kind, transport, tool, grp, action,
		site, resource_type, resource_id, space_key, effect, reason, rules_matched, rules_errored, args_sha256, dry_run, is_write,
		COALESCE(result, ''), COALESCE(error_code, ''), COALESCE(version, 0), COALESCE(bytes, 0), COALESCE(micros, 0)
		FROM audit_entry LEFT JOIN audit_outcome ON entry = id WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("audit list: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []Recorded
	for rows.Next() {
		r, err := scanRecorded(rows)
		if err != nil {
			return nil, fmt.Errorf("audit list: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func scanRecorded(rows *sql.Rows) (Recorded, error) {
	var (
		r                      Recorded
		when, matched, errored string
		micros                 int64
		e, o                   = &r.Entry, &r.Outcome
	)
	err := rows.Scan(&r.ID, &when, &e.DecisionID, &e.PolicyRevision, &e.Profile, &e.Principal, &e.Kind, &e.Transport, &e.Tool, &e.Group, &e.Action,
		&e.Site, &e.ResourceType, &e.ResourceID, &e.SpaceKey, &e.Effect, &e.Reason, &matched, &errored, &e.ArgsSHA256, &e.DryRun, &e.Write,
		&o.Result, &o.ErrorCode, &o.Version, &o.Bytes, &micros)
	if err != nil {
		return r, err
	}
	o.Duration = time.Duration(micros) * time.Microsecond
	if e.Time, err = fromStamp(when); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(matched), &e.RulesMatched); err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(errored), &e.RulesErrored)
}

// list keeps a list of rule ids as a JSON array; nil and empty are both [].
func list(ids []string) string {
	if len(ids) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(ids) // strings always marshal
	return string(b)
}
