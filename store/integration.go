package store

import (
	"context"
	"fmt"
)

// IntegrationID gives the positive id of the integration called name, making
// one at first sight. The id stays with the name for the life of the data
// folder.
func (p *Precious) IntegrationID(ctx context.Context, name string) (int64, error) {
	var id int64
	_, err := p.db.ExecContext(ctx, "INSERT INTO integration(name, created) VALUES (?, ?) ON CONFLICT(name) DO NOTHING", name, at(p.now()))
	if err != nil {
		return 0, fmt.Errorf("integration %q: %w", name, err)
	}
	if err := p.db.QueryRowContext(ctx, "SELECT id FROM integration WHERE name = ?", name).Scan(&id); err != nil {
		return 0, fmt.Errorf("integration %q: %w", name, err)
	}
	return id, nil
}
