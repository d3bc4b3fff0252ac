package mirror

import (
	"context"
	"database/sql"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Swept is a space as a sync left it: when its rights were last read
// completely, how many nodes it has and how many of them are hidden because
// they were not found any more.
type Swept struct {
	Space  confluence.Space
	At     time.Time
	Sealed bool
	Nodes  int
	Gone   int
}

// Spaces lists every space the mirror knows of an integration, whoever may see
// it, the one whose rights are oldest first.
func (w *Writer) Spaces(ctx context.Context, integration int64) ([]Swept, error) {
	var out []Swept
	rows, err := w.m.read.QueryContext(ctx, `SELECT s.id, s.key, s.name, s.type, s.status, s.homepage, s.description, s.web_url, s.swept, s.sealed,
		(SELECT count(*) FROM node n WHERE n.space = s.idx), (SELECT count(*) FROM node n WHERE n.space = s.idx AND n.gone <> 0)
		FROM space s WHERE s.integration = ? ORDER BY s.swept, s.idx`, integration)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var s Swept
		var at int64
		err := r.Scan(&s.Space.ID, &s.Space.Key, &s.Space.Name, &s.Space.Type, &s.Space.Status, &s.Space.HomepageID, &s.Space.Description, &s.Space.WebURL,
			&at, &s.Sealed, &s.Nodes, &s.Gone)
		s.At = fromMicros(at)
		out = append(out, s)
		return err
	})
	return out, w.m.failure("list spaces", err)
}

// Sealed counts the nodes of an integration that admit nobody, or whose list
// was cut off, by cause.
func (w *Writer) Sealed(ctx context.Context, integration int64) (map[string]int, error) {
	out := map[string]int{}
	rows, err := w.m.read.QueryContext(ctx, "SELECT cause, count(*) FROM node WHERE integration = ? AND cause <> '' GROUP BY cause", integration)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var cause string
		var n int
		err := r.Scan(&cause, &n)
		out[cause] = n
		return err
	})
	return out, w.m.failure("count sealed nodes", err)
}

// Groups lists every group the mirror knows of an integration; one whose row is
// damaged has no name.
func (w *Writer) Groups(ctx context.Context, integration int64) ([]guard.Membership, error) {
	var out []guard.Membership
	rows, err := w.m.read.QueryContext(ctx, "SELECT id, value, hash FROM membership WHERE integration = ? ORDER BY id", integration)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var id, v string
		var hash []byte
		if err := r.Scan(&id, &v, &hash); err != nil {
			return err
		}
		var g guard.Membership
		var broken int
		if !value(&g, &broken, v, hash, integration, id) {
			g = guard.Membership{Integration: integration, ID: id}
		}
		out = append(out, g)
		return nil
	})
	return out, w.m.failure("list groups", err)
}

// People lists every user the mirror knows of an integration; one whose row is
// damaged is left out.
func (w *Writer) People(ctx context.Context, integration int64) ([]Person, error) {
	out, err := w.persons(ctx, "integration = ? ORDER BY id", integration)
	return out, w.m.failure("list users", err)
}

// persons are the users of some rows; those whose row is damaged are left out.
func (w *Writer) persons(ctx context.Context, where string, args ...any) ([]Person, error) {
	var out []Person
	rows, err := w.m.read.QueryContext(ctx, "SELECT integration, id, value, hash, name, username, email FROM person WHERE "+where, args...)
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var p Person
		var integration int64
		var id, v string
		var hash []byte
		if err := r.Scan(&integration, &id, &v, &hash, &p.Name, &p.Username, &p.Email); err != nil {
			return err
		}
		var broken int
		if value(&p.Person, &broken, v, hash, integration, id) {
			out = append(out, p)
		}
		return nil
	})
	return out, err
}
