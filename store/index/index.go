package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

// Folder is the name of the index's folder inside a data folder.
const Folder = "index"

// Log is what an index follows; *mirror.Follower is one.
type Log interface {
	Changes(ctx context.Context, after int64, limit int) ([]mirror.Change, error)
	Page(ctx context.Context, idx uint32) (mirror.Page, bool, error)
	All(ctx context.Context, after uint32, limit int) ([]mirror.Page, error)
	Range(ctx context.Context) (before, last int64, err error)
	Trim(ctx context.Context, upTo int64) error
}

// Config says where the index is and what it follows.
type Config struct {
	Dir    string // the data folder; the index is in its folder "index"
	Log    Log
	Now    func() time.Time
	Logger *slog.Logger // told of damage and rebuilding; nil: nobody
	// SlowTime is how long phrases, beginnings and near words of one question
	// may take together; 0: 150 ms. What is found by then is the answer, Cut.
	SlowTime time.Duration
}

// Status is how an index stands to its log.
type Status struct {
	Seq        int64 // the last change that is in; 0 while it is built
	Documents  int
	Behind     int64 // changes that are not in yet
	Rebuilding bool  // it does not have everything: what is found is not complete
	Bytes      int64 // on disk
	Damage     string
}

// Index is a full-text index. It is safe for concurrent use; searches wait for
// nothing.
type Index struct {
	cfg   Config
	dir   string
	words *analyser
	turn  chan struct{} // held by what changes the index

	mu      sync.Mutex
	current *shelf
	behind  int64
	damage  string // what was found last, for the report
	closed  bool
}

// Open opens the index of a data folder, or begins one. An index that is
// damaged, or of another version, is put aside and an empty one begun: Status
// says so, and Follow fills it.
//
// Kind Unavailable with code "index.unavailable" when the folder cannot be
// written.
func Open(ctx context.Context, cfg Config) (*Index, error) {
	if cfg.Log == nil || cfg.Now == nil {
		return nil, &confluence.Error{Kind: confluence.Internal, Op: "open index", Message: "Log and Now must be set"}
	}
	cfg.SlowTime = cmp.Or(cfg.SlowTime, slowTime)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Index{cfg: cfg, dir: filepath.Join(cfg.Dir, Folder), words: newAnalyser(), turn: make(chan struct{}, 1)}
	if err := os.MkdirAll(x.dir, 0o700); err != nil {
		return nil, unavailable("open index", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, unavailable("open index", err)
	}
	name, err := x.currentName()
	if err != nil {
		return nil, unavailable("open index", err)
	}
	x.sweep(name)
	if name != "" {
		s, err := openShelf(filepath.Join(x.dir, name))
		if err == nil {
			x.current = s
			return x, nil
		}
		x.aside(name, err)
	}
	if x.current, err = x.begin(); err != nil {
		return nil, unavailable("open index", err)
	}
	if err := x.point(x.current); err != nil {
		return nil, errors.Join(unavailable("open index", err), x.current.close())
	}
	return x, nil
}

// Close ends following and searching, and closes the files.
func (x *Index) Close() error {
	x.turn <- struct{}{}
	x.mu.Lock()
	s := x.current
	x.current, x.closed = nil, true
	x.mu.Unlock()
	if s == nil {
		return nil
	}
	s.drain()
	if err := s.close(); err != nil {
		return unavailable("close index", err)
	}
	return nil
}

// Status tells how the index stands.
func (x *Index) Status() Status {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	x.mu.Lock()
	st := Status{Behind: x.behind, Damage: x.damage, Rebuilding: true}
	x.mu.Unlock()
	st.Bytes = sizeOf(x.dir)
	s, err := x.borrow()
	if err != nil {
		return st
	}
	defer x.giveBack(s)
	st.Documents = s.documents()
	seq, ok := s.seq()
	st.Seq, st.Rebuilding = seq, !ok || s.cause() != nil
	if before, last, err := x.cfg.Log.Range(ctx); err == nil {
		st.Behind = max(last-seq, 0)
		st.Rebuilding = st.Rebuilding || seq < before || seq > last
	}
	return st
}

func sizeOf(dir string) int64 {
	var n int64
	//nolint:errcheck // a file that went away meanwhile has no size
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if i, err := d.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

// borrow gives the index to search in; giveBack must follow.
func (x *Index) borrow() (*shelf, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.current == nil {
		return nil, building()
	}
	x.current.users.Add(1)
	return x.current, nil
}

func building() error {
	return &confluence.Error{Kind: confluence.Unavailable, Code: "index.building", Op: "search",
		Message: "the index is being built", Next: "Try again in a moment."}
}

func (*Index) giveBack(s *shelf) { s.users.Done() }

// guarded runs what reads the files of a shelf. Files that changed under the
// program fault where they are read: that is damage, not the program's end.
func (x *Index) guarded(s *shelf, read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic while reading: %T", r)
		}
		var known *confluence.Error
		if err != nil && !errors.As(err, &known) {
			x.broke(s, err)
			err = &confluence.Error{Kind: confluence.Unavailable, Code: "index.damaged", Op: "search", Err: err,
				Message: "the search index is damaged and will be built again", Next: "Try again in a few minutes."}
		}
	}()
	return read()
}

// broke remembers that a shelf must be replaced; the next Follow does it.
func (x *Index) broke(s *shelf, cause error) {
	if s.damage.CompareAndSwap(nil, &cause) {
		x.cfg.Logger.Error("the search index is damaged; it will be built again", "cause", cause)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.damage = cause.Error()
}

func unavailable(op string, err error) error {
	var known *confluence.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "index.unavailable", Op: op, Err: err,
		Message: "the search index cannot be used", Next: "Check that the data folder exists, is yours and is not full."}
}
