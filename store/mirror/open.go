package mirror

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/schema"
)

//go:embed migrations/mirror/*.sql
var migrations embed.FS

// File is the name of the mirror's database inside a data folder.
const File = "mirror.db"

// Config says where the mirror is and what it asks of others.
type Config struct {
	Dir string // the data folder, made with mode 0700 when absent
	Now func() time.Time
	// Verify asks Confluence whether a caller may see a page, and makes sure that
	// it stands below a node, which is the page itself where below is empty; nil:
	// nobody may. It is asked only under the policy verify, for what a caller would
	// be shown otherwise; what it says counts for five minutes, a yes only until
	// the rights of the space are read again.
	Verify func(ctx context.Context, c identity.Caller, page Ref, below string) (bool, error)
}

// Mirror is the mirror. One process has it open at a time; inside the process
// it is safe for concurrent use, and readers do not wait for writers.
type Mirror struct {
	path   string
	now    func() time.Time
	verify func(context.Context, identity.Caller, Ref, string) (bool, error)
	asked  asked
	write  *sql.DB // one connection
	read   *sql.DB
	cache  guard.Cache
	health Damage
	marked atomic.Bool          // the file is known to be damaged
	stmts  map[string]*sql.Stmt // prepared for reading, by their text

	mu     sync.Mutex // of the writer
	forest *guard.Forest
	stale  bool            // the forest may not be what the database says
	looks  map[uint32]look // the last complete one at each space; a pass does not outlive the process, so they need not

	published atomic.Pointer[publication]
}

// look is a complete pass over a space: the epoch it began in, and what was gone.
type look struct {
	began uint64
	gone  map[uint32]bool
}

// publication is the newest snapshot, and a channel closed when it is not the
// newest any more.
type publication struct {
	snapshot *guard.Snapshot
	next     chan struct{}
}

// Damage counts rows that did not have the hash they were written with. They
// admit nobody until they are read from Confluence again.
type Damage struct {
	Nodes, Spaces, People, Groups, Integrations int
}

// Open opens or makes the mirror and loads the rights of every node.
//
// Kind Invalid when a newer program made it; kind Unavailable with code
// "store.damaged" when it is no sound database, or was none when it was used last
// (see [Quarantine]), with code "store.unavailable" when it cannot be opened or
// written.
func Open(ctx context.Context, cfg Config) (*Mirror, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, failure("open", err)
	}
	path := filepath.Join(cfg.Dir, File)
	if why, err := os.ReadFile(path + unsound); err == nil {
		return nil, damaged("open", beginAnew, errors.New(string(why)))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Close())
	}
	if err != nil {
		return nil, failure("open", err)
	}
	m := &Mirror{path: path, now: cfg.Now, verify: cfg.Verify, looks: map[uint32]look{}}
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(failure("open", err), m.Close())
	}
	return m, nil
}

func (m *Mirror) open(ctx context.Context) error {
	var err error
	// Checkpoints are made between batches: one inside a commit would hold up
	// readers until the rights of that batch are published.
	if m.write, err = sql.Open("sqlite", dsn(m.path, "rwc", "journal_mode(WAL)", "synchronous(NORMAL)", "wal_autocheckpoint(0)", "cache_size(-16384)")); err != nil {
		return err
	}
	m.write.SetMaxOpenConns(1)
	if err := schema.Up(ctx, m.write, migrations); err != nil {
		return err
	}
	if m.read, err = sql.Open("sqlite", dsn(m.path, "ro", "query_only(1)", "cache_size(-4096)")); err != nil {
		return err
	}
	m.read.SetMaxOpenConns(readers)
	m.read.SetMaxIdleConns(readers)
	m.stmts = map[string]*sql.Stmt{}
	for _, q := range []string{epochQuery, idQuery, indexQuery, titleQuery, rowQuery, spaceQuery, parentQuery, bodyQuery} {
		if m.stmts[q], err = m.read.PrepareContext(ctx, q); err != nil {
			return err
		}
	}
	return m.load(ctx)
}

const readers = 4

func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": append([]string{"busy_timeout(5000)", "trusted_schema(OFF)"}, pragmas...)}
	if mode != "ro" {
		q.Set("_txlock", "immediate")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Close writes everything out and closes the file.
func (m *Mirror) Close() error {
	var errs []error
	for _, db := range []*sql.DB{m.read, m.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Damaged tells what Open found damaged, and what reads found since is not in
// it.
func (m *Mirror) Damaged() Damage { return m.health }

// Check reads the whole file: SQLite's own check first, then the hash of every
// page, attachment and body. Kind Unavailable with code "store.damaged" at the first damage.
func (m *Mirror) Check(ctx context.Context) error {
	if m.health != (Damage{}) {
		return damaged("check", readAgain, fmt.Errorf("rows of rights: %+v", m.health))
	}
	var verdict string
	if err := m.read.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return m.failure("check", err)
	}
	if verdict != "ok" {
		err := errors.New(verdict)
		return m.mark(damaged("check", beginAnew, err), err)
	}
	return m.failure("check", checkContent(ctx, m.read, allNodes, func(node uint32, what string, sound bool) error {
		if !sound {
			return damaged("check", readAgain, fmt.Errorf("%s of node %d", what, node))
		}
		return nil
	}))
}

// Quarantine puts a damaged mirror aside, so that a new one can be opened in its
// place, and gives the new name of the file. Nobody may have it open.
func Quarantine(dir string, now time.Time) (string, error) {
	path := filepath.Join(dir, File)
	aside := path + ".damaged-" + now.UTC().Format("20060102T150405")
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", failure("quarantine", err)
		}
	}
	if err := os.Remove(path + unsound); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", failure("quarantine", err)
	}
	return aside, nil
}

// SQLite's result codes that mean something of their own.
const (
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteNotADB   = 26
	primaryCode    = 0xff
	damagedCode    = "store.damaged"
	fullCode       = "store.full"
	damagedMessage = "the mirror's file is damaged"
)

// What to do about damage: of rows, which a pass writes again, and of the file.
const (
	readAgain = "Read it from Confluence again: confluence-mcp sync --full."
	beginAnew = "Start the program again: it puts the file aside and reads everything from Confluence anew."
)

// unsound is behind the name of a file that turned out to be damaged while it
// was used: what Open reads of it may be sound.
const unsound = ".damaged"

// failure is the function of that name for whoever has the file open: when it is
// damaged as a file, the next Open knows.
func (m *Mirror) failure(op string, err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && isDamage(e) {
		return m.mark(failure(op, err), err)
	}
	return failure(op, err)
}

// mark leaves word beside the file, why it is damaged.
func (m *Mirror) mark(damage, why error) error {
	if !m.marked.CompareAndSwap(false, true) {
		return damage
	}
	if err := os.WriteFile(m.path+unsound, []byte(why.Error()), 0o600); err != nil {
		m.marked.Store(false)
		return errors.Join(damage, err)
	}
	return damage
}

func isDamage(e *sqlite.Error) bool {
	code := e.Code() & primaryCode
	return code == sqliteCorrupt || code == sqliteNotADB
}

// failure makes an *Error of what a database says; nil stays nil.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *confluence.Error
	if errors.As(err, &known) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch {
		case isDamage(e):
			return damaged(op, beginAnew, err)
		case e.Code()&primaryCode == sqliteFull:
			return &confluence.Error{Kind: confluence.Unavailable, Code: fullCode, Op: op, Ref: File, Err: err,
				Message: "the mirror cannot grow: the disk is full", Next: "Make room on the disk; reading goes on meanwhile."}
		}
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "store.unavailable", Op: op, Ref: File, Err: err,
		Message: "the mirror cannot be used", Next: "Check that the data folder exists, is yours, is not full and is not on a network drive."}
}

func damaged(op, next string, err error) error {
	return &confluence.Error{Kind: confluence.Unavailable, Code: damagedCode, Op: op, Ref: File, Err: err,
		Message: damagedMessage, Next: next}
}

func isFull(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Code == fullCode
}
