package mirror

import (
	"context"
	"database/sql"
	"encoding/json"

	"confluence-mcp/store/guard"
)

// load builds the rights in memory from the rows, in one transaction.
func (m *Mirror) load(ctx context.Context) error {
	tx, err := m.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	l := loader{forest: guard.NewForest()}
	for _, step := range []func(context.Context, *sql.Tx) error{l.integrations, l.spaces, l.nodes, l.people, l.groups} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	var epoch uint64
	if err := tx.QueryRowContext(ctx, "SELECT epoch FROM state").Scan(&epoch); err != nil {
		return err
	}
	m.forest, m.health, m.stale = l.forest, l.damage, false
	m.publish(m.forest.Snapshot(epoch))
	return nil
}

type loader struct {
	forest *guard.Forest
	damage Damage
}

// value reads a row of the form value, hash.
func value(into any, damage *int, v string, hash []byte, key ...any) bool {
	if !sound(hash, append(key, v)...) || json.Unmarshal([]byte(v), into) != nil {
		*damage++
		return false
	}
	return true
}

func (l *loader) integrations(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT id, value, hash FROM integration")
	return eachRow(rows, err, func(r *sql.Rows) error {
		var id int64
		var v string
		var hash []byte
		if err := r.Scan(&id, &v, &hash); err != nil {
			return err
		}
		var i guard.Integration
		if value(&i, &l.damage.Integrations, v, hash, id) {
			l.forest.SetIntegration(i)
		}
		return nil
	})
}

func (l *loader) spaces(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+spaceColumns+" FROM space")
	return eachRow(rows, err, func(r *sql.Rows) error {
		var s space
		if err := s.scan(r); err != nil {
			return err
		}
		g, ok := s.guarded()
		if !ok {
			l.damage.Spaces++
			return nil
		}
		l.forest.SetSpace(s.idx, g)
		return nil
	})
}

func (l *loader) nodes(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+nodeColumns+" FROM node")
	var n node
	return eachRow(rows, err, func(r *sql.Rows) error {
		if err := n.scan(r); err != nil {
			return err
		}
		g, ok := n.guarded()
		if !ok {
			l.damage.Nodes++ // put as sealed, so that what is below it is too
		}
		l.forest.Put(n.idx, g)
		return nil
	})
}

func (l *loader) people(ctx context.Context, tx *sql.Tx) error {
	return members(ctx, tx, "person", &l.damage.People, l.forest.SetPerson)
}

func (l *loader) groups(ctx context.Context, tx *sql.Tx) error {
	return members(ctx, tx, "membership", &l.damage.Groups, l.forest.SetGroup)
}

// members reads a table of values that an integration and an id name.
func members[T any](ctx context.Context, tx *sql.Tx, table string, damaged *int, set func(T)) error {
	rows, err := tx.QueryContext(ctx, "SELECT integration, id, value, hash FROM "+table)
	return eachRow(rows, err, func(r *sql.Rows) error {
		var integration int64
		var id, v string
		var hash []byte
		if err := r.Scan(&integration, &id, &v, &hash); err != nil {
			return err
		}
		var one T
		if value(&one, damaged, v, hash, integration, id) {
			set(one)
		}
		return nil
	})
}

// space is a row of the table of that name.
type space struct {
	idx         uint32
	integration int64
	id          string
	key         string
	name        string
	kind        string
	status      string
	homepage    string
	description string
	webURL      string
	grants      string
	sealed      bool
	swept       int64
	hash        []byte
}

const spaceColumns = "idx, integration, id, key, name, type, status, homepage, description, web_url, grants, sealed, swept, hash"

func (s *space) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&s.idx, &s.integration, &s.id, &s.key, &s.name, &s.kind, &s.status, &s.homepage, &s.description, &s.webURL, &s.grants, &s.sealed, &s.swept, &s.hash)
}

func (s *space) fields() []any {
	return []any{s.idx, s.integration, s.id, s.grants, s.sealed, s.swept}
}

func (s *space) guarded() (guard.Space, bool) {
	if !sound(s.hash, s.fields()...) {
		return guard.Space{}, false
	}
	of, err := decode(s.integration, s.grants)
	return guard.Space{Integration: s.integration, View: of, Sealed: s.sealed, SweptAt: fromMicros(s.swept)}, err == nil
}
