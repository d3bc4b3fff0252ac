package store

import (
	"context"
	"database/sql"
)

// LimitPages makes the database full, as a full disk would.
func LimitPages(p *Precious) error {
	_, err := p.db.Exec("PRAGMA max_page_count = 40")
	return err
}

// Exec runs any statement, as somebody with the file in hand could.
func Exec(p *Precious, statement string) error {
	_, err := p.db.Exec(statement)
	return err
}

// Tamper runs statements with the triggers that keep the audit log out of the
// way, as somebody who knows SQLite could.
func Tamper(p *Precious, statements ...string) error {
	all := "DROP TRIGGER audit_line_next; DROP TRIGGER audit_line_head; DROP TRIGGER audit_line_keep; DROP TRIGGER audit_line_stay; DROP TRIGGER audit_head_next;"
	for _, s := range statements {
		all += s + ";"
	}
	return Exec(p, all)
}

// Unchained files the same two lines as a call does, without a chain: what a
// log without hashes would cost.
func Unchained(ctx context.Context, p *Precious, decided, finished string) error {
	for _, line := range []string{decided, finished} {
		if err := p.inTx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO plain(line) VALUES (?)", line)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
