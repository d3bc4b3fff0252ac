package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Integration is one that was made by REST or the command line. Settings is
// JSON and holds no secrets; Token is sealed for [IntegrationToken], and nil
// where there is none.
type Integration struct {
	ID       int64
	Name     string
	Settings []byte
	Token    []byte
	Created  time.Time
	Changed  time.Time
}

// IntegrationToken is the place of the token of an integration.
func IntegrationToken(id int64) seal.Place {
	return seal.Place{Table: "integration", Row: strconv.FormatInt(id, 10), Column: "token"}
}

// IntegrationID gives the positive id of the integration called name, making
// one at first sight. The id stays with the name for the life of the data
// folder.
func (p *Precious) IntegrationID(ctx context.Context, name string) (int64, error) {
	return integrationID(ctx, p.db, name, at(p.now()))
}

// execQuerier is a database or a transaction.
type execQuerier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func integrationID(ctx context.Context, db execQuerier, name, now string) (int64, error) {
	var id int64
	_, err := db.ExecContext(ctx, "INSERT INTO integration(name, created) VALUES (?, ?) ON CONFLICT(name) DO NOTHING", name, now)
	if err != nil {
		return 0, fmt.Errorf("integration %q: %w", name, err)
	}
	if err := db.QueryRowContext(ctx, "SELECT id FROM integration WHERE name = ?", name).Scan(&id); err != nil {
		return 0, fmt.Errorf("integration %q: %w", name, err)
	}
	return id, nil
}

// Integrations lists those that were made by REST or the command line, by id.
func (p *Precious) Integrations(ctx context.Context) ([]Integration, error) {
	rows, err := p.db.QueryContext(ctx, `SELECT i.id, i.name, s.settings, t.record, s.created, s.changed FROM integration_settings s JOIN integration i ON i.id = s.integration
		LEFT JOIN sealed t ON t.owner = 'integration' AND t.row = CAST(i.id AS TEXT) AND t.field = 'token' ORDER BY i.id`)
	if err != nil {
		return nil, fmt.Errorf("list integrations: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err tells what went wrong
	var out []Integration
	for rows.Next() {
		var i Integration
		var created, changed string
		if err := rows.Scan(&i.ID, &i.Name, &i.Settings, &i.Token, &created, &changed); err != nil {
			return nil, fmt.Errorf("list integrations: %w", err)
		}
		if i.Created, err = fromStamp(created); err == nil {
			i.Changed, err = fromStamp(changed)
		}
		if err != nil {
			return nil, fmt.Errorf("list integrations: %w", err)
		}
		out = append(out, i)
	}
	return out, rows.Err()
}

// AddIntegration stores a new integration, with its sealed token if there is
// one. Kind Conflict when there is one of that name.
func (p *Precious) AddIntegration(ctx context.Context, name string, settings, token []byte) (id int64, err error) {
	err = p.inTx(ctx, func(tx *sql.Tx) error {
		now := at(p.now())
		if id, err = integrationID(ctx, tx, name, now); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "INSERT INTO integration_settings(integration, settings, created, changed) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", id, string(settings), now, now)
		if err != nil {
			return fmt.Errorf("add integration: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, &confluence.Error{Kind: confluence.Conflict, Code: "conflict.name", Op: "add integration", Ref: name, Message: "There is an integration of that name.", Next: "Choose another name, or change that one."})
		}
		if token == nil {
			return nil
		}
		return putSealed(ctx, tx, IntegrationToken(id), token)
	})
	return id, err
}

// ChangeIntegration stores settings, and a token that is not nil. Kind NotFound
// when it was removed meanwhile.
func (p *Precious) ChangeIntegration(ctx context.Context, id int64, settings, token []byte) error {
	return p.inTx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE integration_settings SET settings = ?, changed = ? WHERE integration = ?", string(settings), at(p.now()), id)
		if err := oneIntegration("change integration", id, done, err); err != nil || token == nil {
			return err
		}
		return putSealed(ctx, tx, IntegrationToken(id), token)
	})
}

// RemoveIntegration forgets an integration, and its token is gone from the disk.
// Its id stays its name's. Kind NotFound when it is not there.
func (p *Precious) RemoveIntegration(ctx context.Context, id int64) error {
	done, err := p.db.ExecContext(ctx, "DELETE FROM integration_settings WHERE integration = ?", id)
	if err := oneIntegration("remove integration", id, done, err); err != nil {
		return err
	}
	at := IntegrationToken(id)
	return p.EraseSealed(ctx, at.Table, at.Row)
}

func oneIntegration(op string, id int64, done sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, &confluence.Error{Kind: confluence.NotFound, Op: op, Ref: strconv.FormatInt(id, 10), Message: "There is no such integration.", Next: "List them: confluence-mcp integrations list."})
	}
	return nil
}
