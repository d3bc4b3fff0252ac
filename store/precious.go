package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/schema"

	_ "modernc.org/sqlite" // the database driver
)

//go:embed migrations/precious/*.sql
var preciousMigrations embed.FS

// PreciousFile is the name of the precious database inside a data folder.
const PreciousFile = "precious.db"

// Precious is the database of what cannot be rebuilt. One process has it open
// at a time (package owner sees to that); inside the process it is safe for
// concurrent use and serialises its writers.
type Precious struct {
	db      *sql.DB
	path    string
	now     func() time.Time
	sealer  Sealer    // of what is private about approvals; nil: it lies open
	putLine *sql.Stmt // of the audit log; prepared because every call of a tool needs it twice
}

// OpenPrecious opens or makes the precious database in folder dir, which it
// creates with mode 0700 when absent, and brings its schema up to date.
//
// Kind Unavailable when the file cannot be opened or written, Invalid when it
// was made by a newer program.
func OpenPrecious(ctx context.Context, dir string, now func() time.Time) (*Precious, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, openError(dir, err)
	}
	path := filepath.Join(dir, PreciousFile)
	if err := ownerOnly(path); err != nil {
		return nil, openError(path, err)
	}
	db, err := sql.Open("sqlite", preciousDSN(path))
	if err != nil {
		return nil, openError(path, err)
	}
	db.SetMaxOpenConns(1)
	if err := schema.Up(ctx, db, preciousMigrations); err != nil {
		return nil, errors.Join(openError(path, err), db.Close())
	}
	putLine, err := db.PrepareContext(ctx, "INSERT INTO audit_line(seq, line) VALUES (?, ?)")
	if err != nil {
		return nil, errors.Join(openError(path, err), db.Close())
	}
	return &Precious{db: db, path: path, now: now, putLine: putLine}, nil
}

// preciousDSN asks for durability before speed: an entry of the audit log that
// was promised must be there after a power cut.
func preciousDSN(path string) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
		"secure_delete(ON)", "trusted_schema(OFF)", "cache_size(-1024)",
	}, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// ownerOnly makes the file with mode 0600 before SQLite would make it with the
// umask's.
func ownerOnly(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// Close writes everything out and closes the file.
func (p *Precious) Close() error { return p.db.Close() }

// Ping reports whether the database still answers.
func (p *Precious) Ping(ctx context.Context) error {
	var one int
	if err := p.db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return openError(PreciousFile, err)
	}
	return nil
}

// What SQLite calls a file that is not one of its own any more.
const (
	sqliteCorrupt = 11
	sqliteNotADB  = 26
)

func openError(ref string, err error) error {
	var e *confluence.Error
	if errors.As(err, &e) {
		return err
	}
	var engine interface{ Code() int }
	if errors.As(err, &engine) && (engine.Code()&0xff == sqliteCorrupt || engine.Code()&0xff == sqliteNotADB) {
		return &confluence.Error{Kind: confluence.Unavailable, Code: "store.damaged", Op: "open", Ref: ref, Err: err,
			Message: "the database is damaged: " + err.Error(),
			Next:    "Put it back from a backup. It holds connections, agents, approvals and the audit log, which are nowhere else; moved away by hand, the server begins without them."}
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "store.unavailable", Op: "open", Ref: ref, Err: err,
		Message: "the database cannot be used: " + err.Error(),
		Next:    "Check that the data folder exists, is yours, is not full and is not on a network drive."}
}

// stamp is how times are kept: UTC, sortable as text.
const stamp = "2006-01-02T15:04:05.000000Z"

func at(t time.Time) string { return t.UTC().Format(stamp) }

func fromStamp(s string) (time.Time, error) { return time.Parse(stamp, s) }
