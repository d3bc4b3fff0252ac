package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"confluence-mcp/internal/confluence"
)

// Person is somebody an issuer vouches for, and the Confluence account that was
// found by the person's e-mail address. Authority is the issuer's URL, or what
// else vouches for the subject.
type Person struct {
	Authority   string
	Subject     string
	Integration string
	AccountID   string
	Email       string
	Since       time.Time
}

// KeepPerson remembers which account a person was found to have, the first
// time. Kind Conflict when the person was found with another account before,
// or the account with another person: an address that was given to somebody
// else must not bring the account along. Only [Precious.ForgetPerson] undoes it.
func (p *Precious) KeepPerson(ctx context.Context, who Person) error {
	held, err := p.holdsPerson(ctx, who)
	if err != nil || held {
		return err
	}
	_, err = p.db.ExecContext(ctx, `INSERT INTO person(authority, subject, integration, account, email, since) VALUES (?,?,?,?,?,?)
		ON CONFLICT DO NOTHING`, who.Authority, who.Subject, who.Integration, who.AccountID, who.Email, at(p.now()))
	if err != nil {
		return fmt.Errorf("keep person: %w", err)
	}
	if held, err = p.holdsPerson(ctx, who); err != nil || held {
		return err
	}
	return &confluence.Error{Kind: confluence.Conflict, Code: "auth.person", Op: "find account", Message: "the e-mail address belongs to somebody else than before",
		Next: "When that is right, forget who had it: confluence-mcp agents people forget."}
}

func (p *Precious) holdsPerson(ctx context.Context, who Person) (bool, error) {
	var account string
	err := p.db.QueryRowContext(ctx, "SELECT account FROM person WHERE authority = ? AND integration = ? AND subject = ?",
		who.Authority, who.Integration, who.Subject).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find person: %w", err)
	}
	return account == who.AccountID, nil
}

// People lists who was found by e-mail, by authority and subject.
func (p *Precious) People(ctx context.Context) ([]Person, error) {
	rows, err := p.db.QueryContext(ctx, "SELECT authority, subject, integration, account, email, since FROM person ORDER BY authority, subject, integration")
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []Person
	for rows.Next() {
		var who Person
		var since string
		if err := rows.Scan(&who.Authority, &who.Subject, &who.Integration, &who.AccountID, &who.Email, &since); err != nil {
			return nil, fmt.Errorf("list people: %w", err)
		}
		if who.Since, err = fromStamp(since); err != nil {
			return nil, fmt.Errorf("list people: %w", err)
		}
		out = append(out, who)
	}
	return out, rows.Err()
}

// ForgetPerson lets go of the accounts of everybody who was found by this
// e-mail address. Kind NotFound when there is nobody.
func (p *Precious) ForgetPerson(ctx context.Context, email string) error {
	res, err := p.db.ExecContext(ctx, "DELETE FROM person WHERE email = ?", email)
	if err != nil {
		return fmt.Errorf("forget person: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return &confluence.Error{Kind: confluence.NotFound, Op: "forget person", Ref: email, Message: "nobody was found by this address",
			Next: "See who was: confluence-mcp agents people."}
	}
	return err
}

// TouchAgent remembers that an agent was heard now.
func (p *Precious) TouchAgent(ctx context.Context, authority, name string) error {
	_, err := p.db.ExecContext(ctx, `INSERT INTO agent_used(authority, name, used) VALUES (?,?,?)
		ON CONFLICT(authority, name) DO UPDATE SET used = excluded.used`, authority, name, at(p.now()))
	if err != nil {
		return fmt.Errorf("touch agent %s: %w", name, err)
	}
	return nil
}

// AgentsHeard says when agents were last heard, by authority and name.
func (p *Precious) AgentsHeard(ctx context.Context) (map[[2]string]time.Time, error) {
	rows, err := p.db.QueryContext(ctx, "SELECT authority, name, used FROM agent_used")
	if err != nil {
		return nil, fmt.Errorf("list agents heard: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	out := map[[2]string]time.Time{}
	for rows.Next() {
		var who [2]string
		var used string
		if err := rows.Scan(&who[0], &who[1], &used); err != nil {
			return nil, fmt.Errorf("list agents heard: %w", err)
		}
		if out[who], err = fromStamp(used); err != nil {
			return nil, fmt.Errorf("list agents heard: %w", err)
		}
	}
	return out, rows.Err()
}
