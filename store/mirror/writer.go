package mirror

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Writer fills the mirror. It sees everything and is for a sync alone.
type Writer struct{ m *Mirror }

// Writer gives the writing side. Its methods wait for each other.
func (m *Mirror) Writer() *Writer { return &Writer{m} }

// Person is a user with what he is looked up by. Groups are ids.
type Person struct {
	guard.Person
	Name     string
	Username string
	Email    string
}

// SetIntegration says by which rule an integration is shown. Content of an
// integration that was never set is hidden.
func (w *Writer) SetIntegration(ctx context.Context, i guard.Integration) error {
	if i.ID <= 0 {
		return invalid("set integration", "an integration has a positive id")
	}
	return w.m.commit(ctx, "set integration", func(b *batch) error {
		v := text(i)
		b.rights = append(b.rights, func(f *guard.Forest) { f.SetIntegration(i) })
		return b.exec("INSERT INTO integration(id, value, hash) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, hash = excluded.hash",
			i.ID, v, rowHash(i.ID, v))
	})
}

// SetPeople says who users are and which groups they are in, as one batch. A
// reading that is older than what is known of somebody only takes from him: it
// cannot tell what he lost since.
func (w *Writer) SetPeople(ctx context.Context, people []Person) error {
	return w.m.commit(ctx, "set people", func(b *batch) error {
		for _, p := range people {
			var err error
			if p.Person, err = b.notBefore(p.Person, w.m.now()); err != nil {
				return err
			}
			v := text(p.Person)
			if err := b.exec(`INSERT INTO person(integration, id, value, hash, name, username, email) VALUES (?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET value = excluded.value, hash = excluded.hash, name = excluded.name, username = excluded.username, email = excluded.email`,
				p.Integration, p.ID, v, rowHash(p.Integration, p.ID, v), p.Name, p.Username, p.Email); err != nil {
				return err
			}
			b.rights = append(b.rights, func(f *guard.Forest) { f.SetPerson(p.Person) })
		}
		return nil
	})
}

// notBefore gives what a reading of a user leaves of him: itself or, where a newer
// one is stored, what both say. A reading of no time forgets him, and a stored one
// of a time that is yet to come was made by a wrong clock.
func (b *batch) notBefore(p guard.Person, now time.Time) (guard.Person, error) {
	var v string
	var hash []byte
	err := b.one("SELECT value, hash FROM person WHERE integration = ? AND id = ?", p.Integration, p.ID).Scan(&v, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	var known guard.Person
	if damaged := 0; err != nil || !value(&known, &damaged, v, hash, p.Integration, p.ID) {
		return p, err
	}
	if p.CheckedAt.IsZero() || !known.CheckedAt.After(p.CheckedAt) || known.CheckedAt.After(now) {
		return p, nil
	}
	var both []string
	for _, g := range p.Groups {
		if slices.Contains(known.Groups, g) {
			both = append(both, g)
		}
	}
	p.Groups, p.CheckedAt = both, known.CheckedAt
	p.Active, p.Admin = p.Active && known.Active, p.Admin && known.Admin
	p.Guest, p.App = p.Guest || known.Guest, p.App || known.App
	return p, nil
}

// SetGroups says what groups are called and in which groups they are.
func (w *Writer) SetGroups(ctx context.Context, groups []guard.Membership) error {
	return w.m.commit(ctx, "set groups", func(b *batch) error {
		for _, g := range groups {
			v := text(g)
			if err := b.exec("INSERT INTO membership(integration, id, value, hash) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, hash = excluded.hash",
				g.Integration, g.ID, v, rowHash(g.Integration, g.ID, v)); err != nil {
				return err
			}
			b.rights = append(b.rights, func(f *guard.Forest) { f.SetGroup(g) })
		}
		return nil
	})
}

// DropGroup says that a group is no more: nobody is in it.
func (w *Writer) DropGroup(ctx context.Context, integration int64, id string) error {
	return w.m.commit(ctx, "drop group", func(b *batch) error {
		b.rights = append(b.rights, func(f *guard.Forest) { f.DropGroup(integration, id) })
		return b.exec("DELETE FROM membership WHERE integration = ? AND id = ?", integration, id)
	})
}

// Person finds a user by id, or else by username or e-mail where exactly one
// has it. Kind NotFound otherwise.
func (w *Writer) Person(ctx context.Context, integration int64, who string) (Person, error) {
	for _, by := range []string{"id = ?", "username = ? AND username <> ''", "email = ? AND email <> ''"} {
		found, err := w.persons(ctx, "integration = ? AND "+by+" LIMIT 2", integration, who)
		if err != nil {
			return Person{}, w.m.failure("find user", err)
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return Person{}, missing("find user", "user "+who)
}

// SetMark remembers a word of the sync: where it stopped, up to when it read.
func (w *Writer) SetMark(ctx context.Context, integration int64, name, v string) error {
	return w.m.commit(ctx, "set mark", func(b *batch) error { return b.mark(integration, name, v) })
}

func (b *batch) mark(integration int64, name, v string) error {
	return b.exec("INSERT INTO mark(integration, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", integration, name, v)
}

// Mark gives what SetMark or a [Pass] remembered last, empty at first.
func (w *Writer) Mark(ctx context.Context, integration int64, name string) (string, error) {
	var v string
	err := w.m.read.QueryRowContext(ctx, "SELECT value FROM mark WHERE integration = ? AND name = ?", integration, name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, w.m.failure("read mark", err)
}

// DropIntegration removes everything of an integration: rows, rights, marks.
// Readers lose it at once.
func (w *Writer) DropIntegration(ctx context.Context, id int64) error {
	return w.m.commit(ctx, "drop integration", func(b *batch) error {
		if err := b.exec("INSERT INTO change(node, deleted) SELECT idx, 1 FROM node WHERE integration = ?", id); err != nil {
			return err
		}
		for _, table := range []string{"page", "body", "label", "attachment"} {
			if err := b.exec("DELETE FROM "+table+" WHERE node IN (SELECT idx FROM node WHERE integration = ?)", id); err != nil {
				return err
			}
		}
		for _, table := range []string{"node", "space", "person", "membership", "mark", "pass"} {
			if err := b.exec("DELETE FROM "+table+" WHERE integration = ?", id); err != nil {
				return err
			}
		}
		b.rights = append(b.rights, func(f *guard.Forest) { f.DropIntegration(id) })
		return b.exec("DELETE FROM integration WHERE id = ?", id)
	})
}

func invalid(op, message string) error {
	return &confluence.Error{Kind: confluence.Invalid, Op: op, Message: message}
}
