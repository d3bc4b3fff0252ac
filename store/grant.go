package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
)

// grantTable is where tokens of grants are sealed for.
const grantTable = "oauth_grant"

// slotOf is what there is one of: see the migration.
func slotOf(g oauth.Grant) string {
	slot := string(g.Role)
	if g.Role == oauth.Person {
		slot += ":" + g.Account
	}
	if g.State == oauth.Choosing {
		slot += "?"
	}
	return slot
}

func grantPlace(id int64) seal.Place {
	return seal.Place{Table: grantTable, Row: strconv.FormatInt(id, 10), Column: "tokens"}
}

// Grants implements [oauth.Vault].
func (p *Precious) Grants(ctx context.Context, integration int64) ([]oauth.Grant, error) {
	rows, err := p.db.QueryContext(ctx, "SELECT id, generation, record FROM oauth_grant WHERE ? IN (0, integration) ORDER BY integration, id", integration)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []oauth.Grant
	for rows.Next() {
		g, err := scanGrant(rows)
		if err != nil {
			return nil, fmt.Errorf("list connections: %w", err)
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

func scanGrant(row scanner, more ...any) (oauth.Grant, error) {
	var g oauth.Grant
	var id, generation int64
	var record string
	if err := row.Scan(append([]any{&id, &generation, &record}, more...)...); err != nil {
		return g, err
	}
	if err := json.Unmarshal([]byte(record), &g); err != nil {
		return g, err
	}
	g.ID, g.Generation = id, generation
	return g, nil
}

// Grant implements [oauth.Vault]. Tokens that are not there are empty, which
// does not open.
func (p *Precious) Grant(ctx context.Context, id int64) (oauth.Grant, []byte, error) {
	var tokens []byte
	row := p.db.QueryRowContext(ctx, `SELECT g.id, g.generation, g.record, s.record FROM oauth_grant g
		LEFT JOIN sealed s ON s.owner = ? AND s.row = CAST(g.id AS TEXT) AND s.field = 'tokens' WHERE g.id = ?`, grantTable, id)
	g, err := scanGrant(row, &tokens)
	if errors.Is(err, sql.ErrNoRows) {
		return g, nil, &confluence.Error{Kind: confluence.NotFound, Op: "find connection", Message: "there is no such connection", Next: "Connect again."}
	}
	if err != nil {
		return g, nil, fmt.Errorf("find connection %d: %w", id, err)
	}
	return g, tokens, nil
}

// AddGrant implements [oauth.Vault].
func (p *Precious) AddGrant(ctx context.Context, g oauth.Grant, sealed func(oauth.Grant) ([]byte, error)) (oauth.Grant, error) {
	replaced := []string{slotOf(g)}
	if g.State != oauth.Choosing { // what waited for a choice is out of date, too
		waiting := g
		waiting.State = oauth.Choosing
		replaced = append(replaced, slotOf(waiting))
	}
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		for _, slot := range replaced {
			if err := eraseSlot(ctx, tx, g.Integration, slot, 0); err != nil {
				return err
			}
		}
		g.Generation = 1
		res, err := tx.ExecContext(ctx, "INSERT INTO oauth_grant(integration, slot, generation, record) VALUES (?,?,1,'{}')", g.Integration, slotOf(g))
		if err != nil {
			return fmt.Errorf("add connection: %w", err)
		}
		if g.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		tokens, err := sealed(g)
		if err != nil {
			return err
		}
		_, err = updateGrant(ctx, tx, g, tokens, 0)
		return err
	})
	if err != nil {
		return oauth.Grant{}, err
	}
	return g, p.wipe(ctx)
}

// updateGrant writes a grant that still has its generation, and reports whether
// it had.
func updateGrant(ctx context.Context, tx *sql.Tx, g oauth.Grant, tokens []byte, step int64) (bool, error) {
	record, err := json.Marshal(g)
	if err != nil {
		return false, err
	}
	res, err := tx.ExecContext(ctx, "UPDATE oauth_grant SET slot = ?, generation = generation + ?, record = ? WHERE id = ? AND generation = ?", slotOf(g), step, string(record), g.ID, g.Generation)
	if err != nil {
		return false, fmt.Errorf("store connection %d: %w", g.ID, err)
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 || tokens == nil {
		return n > 0, err
	}
	return true, putSealed(ctx, tx, grantPlace(g.ID), tokens)
}

// SaveGrant implements [oauth.Vault].
func (p *Precious) SaveGrant(ctx context.Context, g oauth.Grant, tokens []byte) (moved bool, err error) {
	step := int64(0)
	if tokens != nil {
		step = 1
	}
	err = p.inTx(ctx, func(tx *sql.Tx) error {
		moved, err = updateGrant(ctx, tx, g, tokens, step)
		return err
	})
	return moved && err == nil, err
}

// SettleGrant implements [oauth.Vault].
func (p *Precious) SettleGrant(ctx context.Context, g oauth.Grant, tokens []byte) (moved bool, err error) {
	err = p.inTx(ctx, func(tx *sql.Tx) error {
		if err := eraseSlot(ctx, tx, g.Integration, slotOf(g), g.ID); err != nil {
			return err
		}
		if moved, err = updateGrant(ctx, tx, g, tokens, 1); err == nil && !moved {
			return errNotMoved
		}
		return err
	})
	if errors.Is(err, errNotMoved) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, p.wipe(ctx)
}

// errNotMoved undoes a transaction whose compare-and-swap did not hold.
var errNotMoved = errors.New("the connection has moved on")

// eraseSlot removes the grant in a slot, unless it is the one with the id but.
func eraseSlot(ctx context.Context, tx *sql.Tx, integration int64, slot string, but int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM sealed WHERE owner = ? AND row IN (SELECT CAST(id AS TEXT) FROM oauth_grant WHERE integration = ? AND slot = ? AND id <> ?)`,
		grantTable, integration, slot, but)
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM oauth_grant WHERE integration = ? AND slot = ? AND id <> ?", integration, slot, but)
	}
	if err != nil {
		return fmt.Errorf("replace connection: %w", err)
	}
	return nil
}

// EraseGrants implements [oauth.Vault].
func (p *Precious) EraseGrants(ctx context.Context, ids ...int64) (n int, err error) {
	err = p.inTx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, "DELETE FROM sealed WHERE owner = ? AND row = ?", grantTable, strconv.FormatInt(id, 10)); err != nil {
				return fmt.Errorf("erase connection %d: %w", id, err)
			}
			res, err := tx.ExecContext(ctx, "DELETE FROM oauth_grant WHERE id = ?", id)
			if err != nil {
				return fmt.Errorf("erase connection %d: %w", id, err)
			}
			gone, err := res.RowsAffected()
			if err != nil {
				return err
			}
			n += int(gone)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		_ = os.Remove(p.grantLock(id)) // ids are never used twice; who still holds it finds no row
	}
	return n, p.wipe(ctx)
}

// lockPause is how often a lock that another process holds is tried.
const lockPause = 10 * time.Millisecond

func (p *Precious) grantLock(id int64) string {
	return filepath.Join(filepath.Dir(p.path), "locks", "grant-"+strconv.FormatInt(id, 10)+".lock")
}

// LockGrant implements [oauth.Vault] with a lock on a file: the operating system
// ends it with the process.
func (p *Precious) LockGrant(ctx context.Context, id int64) (func() error, error) {
	path := p.grantLock(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, openError(path, err)
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockPause); err != nil {
		if ctx.Err() != nil {
			return nil, &confluence.Error{Kind: confluence.Unavailable, Op: "refresh tokens", Message: "another process is refreshing these tokens and does not end", Next: "Try again."}
		}
		return nil, openError(path, err)
	}
	return lock.Unlock, nil
}
