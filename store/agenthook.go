package store

import (
	"context"
	"database/sql"
	"fmt"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// HookPlace is the place of the hook of an agent.
func HookPlace(agent string) seal.Place {
	return seal.Place{Table: "agent", Row: agent, Column: "hook"}
}

// PutHook keeps where an agent's approvals are told, over what was there: the
// host, and a record sealed for [HookPlace]; an empty host takes it away. Kind
// NotFound when no agent of the name has a good key.
func (p *Precious) PutHook(ctx context.Context, agent, host string, record []byte) error {
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		var good int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM agent WHERE name = ? AND revoked IS NULL", agent).Scan(&good); err != nil {
			return err
		}
		if good == 0 {
			return &confluence.Error{Kind: confluence.NotFound, Op: "change agent", Ref: agent,
				Message: "no such agent, or its key is revoked", Next: "See the names with: confluence-mcp agents list."}
		}
		return p.putHook(ctx, tx, agent, host, record)
	})
	if err != nil {
		return fmt.Errorf("hook of agent %s: %w", agent, err)
	}
	if host == "" {
		return p.wipe(ctx)
	}
	return nil
}

func (p *Precious) putHook(ctx context.Context, tx *sql.Tx, agent, host string, record []byte) error {
	place := HookPlace(agent)
	if host != "" {
		if _, err := tx.ExecContext(ctx, "INSERT INTO agent_hook(agent, host, changed) VALUES (?,?,?) ON CONFLICT(agent) DO UPDATE SET host = excluded.host, changed = excluded.changed",
			agent, host, at(p.now())); err != nil {
			return err
		}
		return putSealed(ctx, tx, place, record)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM agent_hook WHERE agent = ?", agent); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM sealed WHERE owner = ? AND row = ? AND field = ?", place.Table, place.Row, place.Column)
	return err
}

// Hook gives the sealed hook of an agent, nil when it has none.
func (p *Precious) Hook(ctx context.Context, agent string) ([]byte, error) {
	record, err := p.Sealed(ctx, HookPlace(agent))
	if err != nil && confluence.KindOf(err) == confluence.NotFound {
		return nil, nil
	}
	return record, err
}
