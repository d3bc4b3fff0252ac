package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Sealer seals what is private for the place it lies in; *seal.Ring does, given
// a context.
type Sealer interface {
	Seal(ctx context.Context, at seal.Place, plain seal.Secret) ([]byte, error)
	Open(ctx context.Context, at seal.Place, sealed []byte) (seal.Secret, error)
	// Reload fetches the keys anew, after somebody else has rotated them.
	Reload(ctx context.Context) error
}

// SealWith has what is private about approvals sealed from now on. It is called
// once, before the first of them. What was kept before stays readable.
func (p *Precious) SealWith(s Sealer) { p.sealer = s }

func privatePlace(id string) seal.Place {
	return seal.Place{Table: "approval", Row: id, Column: "private"}
}

// private is what is private about a request as it is going to be kept. It is
// made before the transaction: the sealer may need the database for its keys.
type private struct {
	id     string
	plain  []byte // without a sealer
	sealed []byte
}

func (p *Precious) encodePrivate(ctx context.Context, r approval.Request) (private, error) {
	raw, err := json.Marshal(r.Private)
	if err != nil || p.sealer == nil {
		return private{id: r.ID, plain: raw}, err
	}
	sealed, err := p.sealer.Seal(ctx, privatePlace(r.ID), seal.NewSecret(string(raw)))
	if err != nil {
		return private{}, fmt.Errorf("seal approval: %w", err)
	}
	return private{id: r.ID, sealed: sealed}, nil
}

func (x private) put(ctx context.Context, tx *sql.Tx) error {
	if x.sealed == nil {
		_, err := tx.ExecContext(ctx, "INSERT INTO approval_private(id, content) VALUES (?,?) ON CONFLICT(id) DO UPDATE SET content = excluded.content", x.id, x.plain)
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM approval_private WHERE id = ?", x.id); err != nil { // of before there was a sealer
		return err
	}
	return putSealed(ctx, tx, privatePlace(x.id), x.sealed)
}

// rotated reports whether keys were rotated between sealing and keeping.
func rotated(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Kind == confluence.Conflict && e.Code == "seal.key"
}

// sealing does work, which seals and keeps; once more, with the newest keys,
// when they were rotated in between.
func (p *Precious) sealing(ctx context.Context, work func() error) error {
	err := work()
	if !rotated(err) {
		return err
	}
	if err := p.sealer.Reload(ctx); err != nil {
		return err
	}
	return work()
}

// keeping makes a request's private part, then does work with it in one
// transaction.
func (p *Precious) keeping(ctx context.Context, r approval.Request, work func(*sql.Tx, private) error) error {
	return p.sealing(ctx, func() error {
		x, err := p.encodePrivate(ctx, r)
		if err != nil {
			return err
		}
		return p.inTx(ctx, func(tx *sql.Tx) error { return work(tx, x) })
	})
}

// openPrivate reads what was kept; a request whose private part is forgotten
// has an empty one.
func (p *Precious) openPrivate(ctx context.Context, id string, plain, sealed []byte) (approval.Private, error) {
	var out approval.Private
	if sealed != nil {
		if p.sealer == nil {
			return out, &confluence.Error{Kind: confluence.Invalid, Code: "seal.key", Op: "open approval", Message: "it is sealed, and this process has no key", Next: "Run the command with the configuration of the server."}
		}
		secret, err := p.sealer.Open(ctx, privatePlace(id), sealed)
		if err != nil {
			return out, err
		}
		plain = []byte(secret.Reveal())
	}
	if plain == nil {
		return out, nil
	}
	return out, json.Unmarshal(plain, &out)
}
