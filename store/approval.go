package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
)

// AddApproval keeps a new request. When the same principal has an open one
// with the same digest, that one is given instead and made is false.
//
// Kind Limited when the principal has [approval.MaxPending] open requests.
func (p *Precious) AddApproval(ctx context.Context, r approval.Request) (kept approval.Request, made bool, err error) {
	kept = r
	err = p.keeping(ctx, r, func(tx *sql.Tx, x private) error {
		open, err := listApprovals(ctx, tx, approval.Filter{Principal: r.Requester.Principal, States: openStates(), Limit: approval.MaxPending + 1})
		if err != nil {
			return err
		}
		for _, o := range open {
			if o.Digest == r.Digest {
				kept = o
				return nil
			}
		}
		if len(open) >= approval.MaxPending {
			return tooMany(len(open))
		}
		made = true
		return p.insertApproval(ctx, tx, r, x)
	})
	if err != nil {
		return r, false, fmt.Errorf("add approval: %w", err)
	}
	return kept, made, nil
}

func tooMany(n int) error {
	return &confluence.Error{Kind: confluence.Limited, Code: "approval.too_many", Op: "ask for approval", RetryAfter: time.Minute,
		Message: fmt.Sprintf("%d of your changes are waiting for an approval already.", n), Next: "Wait until some are decided. Nothing was changed."}
}

func openStates() []approval.State {
	return []approval.State{approval.Pending, approval.Approved, approval.Executing, approval.InDoubt}
}

func (p *Precious) insertApproval(ctx context.Context, tx *sql.Tx, r approval.Request, x private) error {
	public, err := json.Marshal(r) // without what is private
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO approval(id, state, seq, digest, call_id, principal, created, expires, changed, record) VALUES (?,?,?,?,?,?,?,?,?,?)",
		r.ID, string(r.State), r.Seq, r.Digest, r.CallID, r.Requester.Principal, at(r.Created), at(r.Expires), at(r.Changed), public); err != nil {
		return err
	}
	if err := x.put(ctx, tx); err != nil {
		return err
	}
	return p.chainStep(ctx, tx, approval.Request{}, r, approval.Event{Word: "request", By: r.Requester})
}

// chainStep is the line every step leaves in the audit log, in the step's own
// transaction.
func (p *Precious) chainStep(ctx context.Context, tx *sql.Tx, from, to approval.Request, e approval.Event) error {
	reason := string(e.Word)
	if e.Word == approval.Approve && e.Self {
		reason = "self_confirm"
	}
	_, err := p.chain(ctx, tx, audit.Transition{Time: to.Changed, ApprovalID: to.ID, From: string(from.State), To: string(to.State),
		Principal: cmp.Or(e.By.Principal, "server"), Reason: reason})
	return err
}

// StepApproval makes one step durable: the request, what is private about it
// and the line in the audit log, or none of them.
//
// Kind Conflict (approval.claimed) when somebody else took a step first; then
// nothing is changed.
func (p *Precious) StepApproval(ctx context.Context, from, to approval.Request, e approval.Event) error {
	public, err := json.Marshal(to) // without what is private
	if err != nil {
		return fmt.Errorf("step approval: %w", err)
	}
	err = p.keeping(ctx, to, func(tx *sql.Tx, x private) error {
		res, err := tx.ExecContext(ctx, "UPDATE approval SET state = ?, seq = ?, changed = ?, record = ? WHERE id = ? AND state = ? AND seq = ?",
			string(to.State), to.Seq, at(to.Changed), public, from.ID, string(from.State), from.Seq)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, &confluence.Error{Kind: confluence.Conflict, Code: "approval.claimed", Op: "approval",
				Message: "Somebody else decided first.", Next: "Look at the request again."})
		}
		if err := x.put(ctx, tx); err != nil {
			return err
		}
		return p.chainStep(ctx, tx, from, to, e)
	})
	if err != nil {
		return fmt.Errorf("step approval: %w", err)
	}
	return nil
}

// Approval finds a request with what is private about it. Kind NotFound.
func (p *Precious) Approval(ctx context.Context, id string) (approval.Request, error) {
	return p.oneApproval(ctx, id, "WHERE approval.id = ?", id)
}

// LatestApproval finds the newest request of one call, by its CallID. Kind
// NotFound when there is none.
func (p *Precious) LatestApproval(ctx context.Context, callID string) (approval.Request, error) {
	return p.oneApproval(ctx, callID, "WHERE call_id = ? ORDER BY created DESC, approval.rowid DESC LIMIT 1", callID)
}

func (p *Precious) oneApproval(ctx context.Context, ref, where string, arg any) (approval.Request, error) {
	row := p.db.QueryRowContext(ctx, `SELECT approval.record, content, sealed.record FROM approval LEFT JOIN approval_private ON approval_private.id = approval.id
		LEFT JOIN sealed ON sealed.owner = 'approval' AND sealed.row = approval.id AND sealed.field = 'private' `+where, arg)
	var public, plain, sealed []byte
	var r approval.Request
	err := row.Scan(&public, &plain, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return r, &confluence.Error{Kind: confluence.NotFound, Op: "find approval", Ref: ref, Message: "There is no approval with this id.", Next: "Check the id."}
	}
	if err == nil {
		err = json.Unmarshal(public, &r)
	}
	if err == nil {
		r.Private, err = p.openPrivate(ctx, r.ID, plain, sealed)
	}
	if err != nil {
		return r, fmt.Errorf("find approval: %w", err)
	}
	return r, nil
}

// Approvals lists requests, newest first, without what is private.
func (p *Precious) Approvals(ctx context.Context, f approval.Filter) ([]approval.Request, error) {
	out, err := listApprovals(ctx, p.db, f)
	if err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	return out, nil
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func listApprovals(ctx context.Context, q querier, f approval.Filter) ([]approval.Request, error) {
	query, args := "SELECT record FROM approval WHERE 1 = 1", []any{}
	if f.Principal != "" {
		query += " AND principal = ?"
		args = append(args, f.Principal)
	}
	for field, v := range map[string]string{"agent": f.Agent, "owner": f.Owner} {
		if v != "" {
			query += " AND json_extract(CAST(record AS TEXT), '$.Requester." + field + "') = ?"
			args = append(args, v)
		}
	}
	if len(f.States) > 0 {
		query += " AND state IN (?" + strings.Repeat(",?", len(f.States)-1) + ")"
		for _, s := range f.States {
			args = append(args, string(s))
		}
	}
	if !f.Late.IsZero() {
		query += " AND expires <= ?"
		args = append(args, at(f.Late))
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	rows, err := q.QueryContext(ctx, query+" ORDER BY created DESC, rowid DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	out := []approval.Request{}
	for rows.Next() {
		var record []byte
		var r approval.Request
		if err := errors.Join(rows.Scan(&record), json.Unmarshal(record, &r)); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// ForgetApprovals removes arguments, diffs and results of requests that ended
// before then, and tells how many. What happened to them stays.
func (p *Precious) ForgetApprovals(ctx context.Context, then time.Time) (int, error) {
	const ended = "(SELECT id FROM approval WHERE changed < ? AND state NOT IN ('pending', 'approved', 'executing', 'in_doubt'))"
	total := 0
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{"DELETE FROM approval_private WHERE id IN " + ended, "DELETE FROM sealed WHERE owner = 'approval' AND row IN " + ended} {
			res, err := tx.ExecContext(ctx, query, at(then))
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			total += int(n)
		}
		return nil
	})
	if err != nil || total == 0 {
		return 0, forgetError(err)
	}
	return total, p.wipe(ctx)
}

func forgetError(err error) error {
	if err != nil {
		return fmt.Errorf("forget approvals: %w", err)
	}
	return nil
}

// ApprovalClock is the latest time any step was taken at; the zero time when
// there was none. Time does not run back behind it.
func (p *Precious) ApprovalClock(ctx context.Context) (time.Time, error) {
	var last sql.NullString
	if err := p.db.QueryRowContext(ctx, "SELECT MAX(changed) FROM approval").Scan(&last); err != nil {
		return time.Time{}, fmt.Errorf("approval clock: %w", err)
	}
	return fromMaybe(last)
}
