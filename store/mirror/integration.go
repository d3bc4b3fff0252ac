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
	return i, failure("read integration", err)
}
