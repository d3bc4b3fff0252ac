// Package schema brings a database to the form this program knows. Each of the
// two databases of package store embeds its own numbered files; a step that was
// begun and not finished leaves no trace, and a database made by a newer program
// is refused.
//
// It knows no table. Start reading with [Up].
package schema

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"confluence-mcp/internal/confluence"
)

// Up applies the files migrations/*/*.sql that a database does not have yet, in
// order of their names, all in one transaction, and remembers the last in
// user_version. Kind Invalid, with nothing touched, when the database was made by
// a newer program.
func Up(ctx context.Context, db *sql.DB, files fs.FS) error {
	names, err := fs.Glob(files, "migrations/*/*.sql")
	if err != nil {
		return err
	}
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have > len(names) {
		return &confluence.Error{Kind: confluence.Invalid, Op: "open database",
			Message: fmt.Sprintf("schema %d is newer than this program knows (%d)", have, len(names)),
			Next:    "Use the newer program that made it."}
	}
	if have == len(names) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	for _, name := range names[have:] {
		if err := apply(ctx, tx, files, name); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(names))); err != nil {
		return err
	}
	return tx.Commit()
}

func apply(ctx context.Context, tx *sql.Tx, files fs.FS, name string) error {
	script, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, string(script))
	return err
}
