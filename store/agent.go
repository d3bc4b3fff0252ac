package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
)

// Agent is a caller that has a key. Integration and User name the fixed
// identity it acts as; both empty means public content only, unless
// ActForUsers lets it name a user per request. Expires zero means never.
type Agent struct {
	Name        string
	KeyID       string
	Owner       string
	Profile     string
	Integration string
	User        string
	ActForUsers bool
	Admin       bool
	Approver    bool
	Rate        float64 // requests a second of the agent as a whole; 0: the server's default
	Burst       int     // requests at once; 0: twice the rate
	Created     time.Time
	Expires     time.Time
	Revoked     time.Time // zero while the key is good
	HookHost    string    // of where its approvals are told; empty: nowhere
	Hook        []byte    // sealed for [HookPlace]; taken by AddAgent, given by [Precious.Hook] alone
}

var agentName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// keyPrefix marks our keys, so that log filters and secret scanners know them.
const keyPrefix = "cmk_"

// AddAgent stores a new agent and gives its key, which is shown once and kept
// only as a digest. The key has the form cmk_<id>_<secret> with 256 random
// bits in the secret.
//
// Kind Invalid when the name is malformed or the profile missing, Conflict
// when the name is taken (a revoked agent keeps its name).
func (p *Precious) AddAgent(ctx context.Context, a Agent) (seal.Secret, error) {
	if err := checkAgent(a); err != nil {
		return seal.Secret{}, err
	}
	key, id := newKey()
	sum := sha256.Sum256([]byte(key))
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO agent(name, key_id, key_sha256, owner, profile, integration, user, act_for_users, admin, approver, rate, burst, created, expires)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, a.Name, id, sum[:], a.Owner, a.Profile, a.Integration, a.User, a.ActForUsers, a.Admin, a.Approver, a.Rate, a.Burst, at(p.now()), maybeStamp(a.Expires))
		if err != nil || a.HookHost == "" {
			return err
		}
		return p.putHook(ctx, tx, a.Name, a.HookHost, a.Hook)
	})
	if err != nil && strings.Contains(err.Error(), "UNIQUE") {
		return seal.Secret{}, &confluence.Error{Kind: confluence.Conflict, Op: "add agent", Ref: a.Name,
			Message: "an agent of this name exists already", Next: "Choose another name; the name of a revoked agent stays taken so that the audit log stays true."}
	}
	if err != nil {
		return seal.Secret{}, fmt.Errorf("add agent %s: %w", a.Name, err)
	}
	return seal.NewSecret(key), nil
}

func checkAgent(a Agent) error {
	switch {
	case len(a.Name) > 63 || !agentName.MatchString(a.Name):
		return invalidAgent(a.Name, "the name must be lower-case letters, digits, '.', '_' or '-', at most 63", "For example: helpdesk-bot.")
	case a.Name == identity.Local:
		return invalidAgent(a.Name, "the name stands for this machine's command line", "Choose another name.")
	case a.Profile == "":
		return invalidAgent(a.Name, "an agent needs a profile", "Name one with --profile, for example read-only.")
	case (a.Integration == "") != (a.User == ""):
		return invalidAgent(a.Name, "a fixed identity needs an integration and a user", "Give it as INTEGRATION:USER.")
	case a.ActForUsers && a.User != "":
		return invalidAgent(a.Name, "an agent acts either for the users it names per request or as one fixed user, not both", "Leave one of the two out.")
	case a.Rate < 0 || a.Rate > maxRate || a.Burst < 0 || a.Burst > maxBurst || a.Burst > 0 && a.Rate == 0:
		return invalidAgent(a.Name, "the rate is out of bounds", "Give at most 10000 requests a second, and a burst only with a rate.")
	}
	return nil
}

// Bounds of an agent's own rate.
const (
	maxRate  = 10_000
	maxBurst = 100_000
)

func invalidAgent(name, message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Op: "agent", Ref: name, Message: message, Next: next}
}

func newKey() (key, id string) {
	var b [36]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	id = hex.EncodeToString(b[:4])
	return keyPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(b[4:]), id
}

// AgentByKey finds the agent whose key this is. The comparison takes the same
// time for every wrong key with a known id.
//
// Kind Expired for anything that is not a good key: unknown, wrong, revoked
// and out of date are not told apart.
func (p *Precious) AgentByKey(ctx context.Context, key string) (Agent, error) {
	denied := &confluence.Error{Kind: confluence.Expired, Code: "auth.key", Op: "authenticate",
		Message: "the key is not known here", Next: "Ask an admin for a key: confluence-mcp agents add."}
	id, _, ok := strings.Cut(strings.TrimPrefix(key, keyPrefix), "_")
	if !ok || !strings.HasPrefix(key, keyPrefix) {
		return Agent{}, denied
	}
	row := p.db.QueryRowContext(ctx, "SELECT "+agentColumns+", key_sha256 FROM agent WHERE key_id = ?", id)
	var digest []byte
	a, err := scanAgent(row, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return Agent{}, denied
	}
	if err != nil {
		return Agent{}, fmt.Errorf("authenticate: %w", err)
	}
	sum := sha256.Sum256([]byte(key))
	good := subtle.ConstantTimeCompare(sum[:], digest) == 1
	expired := !a.Expires.IsZero() && !p.now().Before(a.Expires)
	if !good || expired || !a.Revoked.IsZero() {
		return Agent{}, denied
	}
	return a, nil
}

// Agents lists all agents by name, revoked ones included.
func (p *Precious) Agents(ctx context.Context) ([]Agent, error) {
	rows, err := p.db.QueryContext(ctx, "SELECT "+agentColumns+" FROM agent ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has the error that counts
	var out []Agent
	for rows.Next() {
		a, err := scanAgent(rows)
		if err != nil {
			return nil, fmt.Errorf("list agents: %w", err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// RevokeAgent ends the key of an agent for good, and forgets its hook. Kind NotFound when there is
// no such agent or it is revoked already.
func (p *Precious) RevokeAgent(ctx context.Context, name string) error {
	return p.inTx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE agent SET revoked = ? WHERE name = ? AND revoked IS NULL", at(p.now()), name)
		if err != nil {
			return fmt.Errorf("revoke agent %s: %w", name, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, &confluence.Error{Kind: confluence.NotFound, Op: "revoke agent", Ref: name,
				Message: "no such agent, or its key is revoked already", Next: "See the names with: confluence-mcp agents list."})
		}
		return p.putHook(ctx, tx, name, "", nil)
	})
}

const agentColumns = "name, key_id, owner, profile, integration, user, act_for_users, admin, approver, rate, burst, created, expires, revoked, coalesce((SELECT host FROM agent_hook WHERE agent = name), '')"

type scanner interface{ Scan(...any) error }

func scanAgent(row scanner, more ...any) (Agent, error) {
	var (
		a                Agent
		created          string
		expires, revoked sql.NullString
	)
	dest := append([]any{&a.Name, &a.KeyID, &a.Owner, &a.Profile, &a.Integration, &a.User, &a.ActForUsers, &a.Admin, &a.Approver, &a.Rate, &a.Burst, &created, &expires, &revoked, &a.HookHost}, more...)
	if err := row.Scan(dest...); err != nil {
		return a, err
	}
	var err error
	if a.Created, err = fromStamp(created); err != nil {
		return a, err
	}
	if a.Expires, err = fromMaybe(expires); err != nil {
		return a, err
	}
	a.Revoked, err = fromMaybe(revoked)
	return a, err
}

func maybeStamp(t time.Time) sql.NullString {
	return sql.NullString{String: at(t), Valid: !t.IsZero()}
}

func fromMaybe(s sql.NullString) (time.Time, error) {
	if !s.Valid {
		return time.Time{}, nil
	}
	return fromStamp(s.String)
}
