package mirror

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"confluence-mcp/store/guard"
)

// Integration gives by which rule an integration is shown; its id is 0 when the
// mirror was never told, or not by a sound row.
func (w *Writer) Integration(ctx context.Context, id int64) (guard.Integration, error) {
	var i guard.Integration
	var v string
	var hash []byte
	err := w.m.read.QueryRowContext(ctx, "SELECT value, hash FROM integration WHERE id = ?", id).Scan(&v, &hash)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (!bytes.Equal(hash, rowHash(id, v)) || json.Unmarshal([]byte(v), &i) != nil) {
		return guard.Integration{}, nil
	}
	return i, w.m.failure("read integration", err)
}

// Integrations lists the ids of all integrations that have a rule or rows.
func (w *Writer) Integrations(ctx context.Context) ([]int64, error) {
	var out []int64
	rows, err := w.m.read.QueryContext(ctx, "SELECT id FROM integration UNION SELECT integration FROM space ORDER BY 1")
	err = eachRow(rows, err, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		out = append(out, id)
		return err
	})
	return out, w.m.failure("list integrations", err)
}
