package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"confluence-mcp/policy"
)

// Config is what a [Reloader] needs.
type Config struct {
	Shipped fs.FS  // profiles of the program; a file in Dir may replace one
	Dir     string // the folder that is watched; empty: only the shipped ones
	Keep    string // private folder for revisions; empty: none are kept
	Peek    bool   // Keep belongs to another process: it is read, not written
	Now     func() time.Time
	Logger  *slog.Logger // nil: nothing is logged

	// Tools names every tool there is; a rule that names another is refused.
	// Empty: the names are not checked.
	Tools []string
}

// Status is how the last look at the folder went. Problem is empty when what
// is in force is what is in the folder.
type Status struct {
	Revision string    `json:"revision"` // of the profiles in force
	Since    time.Time `json:"since"`
	Problem  string    `json:"problem,omitempty"`
	Pinned   bool      `json:"pinned,omitempty"` // rolled back, until the folder changes
	Swaps    int64     `json:"swaps"`
	Failures int64     `json:"failures"` // distinct refused contents
}

// Reloader judges calls by the profiles in force. It may be used by many
// goroutines; one decision is made by one set of profiles.
type Reloader struct {
	cfg     Config
	current atomic.Pointer[policy.Set]

	mu     sync.Mutex // one reload at a time; guards what follows
	status Status
	seen   string // digest of the folder as last looked at
	failed string // what the last failure was, to count it once
	sets   map[string]*policy.Set
	order  []string // digests in sets, oldest first
	keep   keeper
}

// Open loads the folder. When it cannot be used the last good revision is,
// and the status says so; without one Open fails.
func Open(cfg Config) (*Reloader, error) {
	if cfg.Now == nil {
		return nil, errors.New("reload: Config.Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reloader{cfg: cfg, sets: map[string]*policy.Set{}, keep: keeper{dir: cfg.Keep, readOnly: cfg.Peek}}
	r.mu.Lock()
	defer r.mu.Unlock()
	if pin, ok := r.keep.pin(); ok {
		if err := r.usePin(pin); err == nil {
			return r, nil
		}
	}
	err := r.look()
	if err == nil {
		return r, nil
	}
	last, keptErr := r.keep.newest()
	if keptErr != nil {
		return nil, errors.Join(fmt.Errorf("load profiles: %w", err), keptErr)
	}
	set, keptErr := r.load(last)
	if keptErr != nil {
		return nil, errors.Join(fmt.Errorf("load profiles: %w", err), fmt.Errorf("last good profiles: %w", keptErr))
	}
	r.swap(set)
	r.status.Problem, r.failed = err.Error(), err.Error()
	return r, nil
}

// usePin restores a rollback as long as the folder is as it was then.
func (r *Reloader) usePin(pin pin) error {
	files, err := readDir(r.cfg.Dir)
	if err != nil {
		return err
	}
	if files.digest() != pin.Ignore {
		return errors.New("the folder changed since the rollback")
	}
	kept, err := r.keep.find(pin.Revision)
	if err != nil {
		return err
	}
	set, err := r.load(kept)
	if err != nil {
		return err
	}
	r.seen = pin.Ignore
	r.swap(set)
	r.status.Pinned = true
	return nil
}

// Reload looks at the folder now. Nil: what is in the folder is in force, or
// the folder has not changed since a rollback. Otherwise what was in force
// stays, and the error says why. Whoever serves calls it every 2 s or so.
func (r *Reloader) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.look()
}

func (r *Reloader) look() error {
	files, err := readDir(r.cfg.Dir)
	if err != nil {
		r.seen = ""
		return r.fail(err)
	}
	digest := files.digest()
	if digest == r.seen && r.status.Problem == "" {
		return nil
	}
	set, err := r.setOf(digest, files)
	if err != nil {
		r.seen = digest
		return r.fail(err)
	}
	if err := r.keep.save(r.cfg.Now(), set.Revision(), files); err != nil {
		return r.fail(err)
	}
	r.keep.unpin()
	r.seen = digest
	r.swap(set)
	return nil
}

// setOf loads files, or finds them among the revisions in memory.
func (r *Reloader) setOf(digest string, files files) (*policy.Set, error) {
	if set, ok := r.sets[digest]; ok {
		return set, nil
	}
	set, err := r.load(files)
	if err != nil {
		return nil, err
	}
	r.sets[digest] = set
	r.order = append(r.order, digest)
	if len(r.order) > keptRevisions {
		delete(r.sets, r.order[0])
		r.order = r.order[1:]
	}
	return set, nil
}

func (r *Reloader) load(files files) (*policy.Set, error) {
	return policy.LoadOver(r.cfg.Tools, r.cfg.Shipped, files.fs())
}

func (r *Reloader) swap(set *policy.Set) {
	r.current.Store(set)
	r.failed = ""
	r.status.Problem, r.status.Pinned = "", false
	r.status.Revision, r.status.Since = set.Revision(), r.cfg.Now()
	r.status.Swaps++
	r.cfg.Logger.Info("profiles are in force", "revision", r.status.Revision)
}

func (r *Reloader) fail(err error) error {
	r.status.Problem = err.Error()
	if r.failed != err.Error() {
		r.failed = err.Error()
		r.status.Failures++
		r.cfg.Logger.Error("profiles are refused, the last good ones stay", "problem", err)
	}
	return err
}

// Rollback puts a kept revision in force. It stays until the folder changes,
// over a restart too.
func (r *Reloader) Rollback(revision string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, err := r.keep.find(revision)
	if err != nil {
		return err
	}
	set, err := r.load(kept)
	if err != nil {
		return fmt.Errorf("roll back to %s: %w", revision, err)
	}
	if now, err := readDir(r.cfg.Dir); err == nil {
		r.seen = now.digest()
	}
	if err := r.keep.setPin(pin{Revision: revision, Ignore: r.seen}); err != nil {
		return err
	}
	r.swap(set)
	r.status.Pinned = true
	return nil
}

// Revisions lists what can be rolled back to, newest first.
func (r *Reloader) Revisions() ([]Revision, error) { return r.keep.list() }

// Status says what is in force and what is wrong.
func (r *Reloader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Set is the profiles in force now.
func (r *Reloader) Set() *policy.Set { return r.current.Load() }

// Decide judges by the profiles in force; see [policy.Set.Decide].
func (r *Reloader) Decide(q policy.Request) policy.Decision { return r.Set().Decide(q) }

// Strictest is [policy.Set.Strictest] of the profiles in force.
func (r *Reloader) Strictest(q ...policy.Request) policy.Decision { return r.Set().Strictest(q...) }

// Visible is [policy.Set.Visible] of the profiles in force.
func (r *Reloader) Visible(profile string, g policy.Group, a policy.Action) bool {
	return r.Set().Visible(profile, g, a)
}

// NeedsResource is [policy.Set.NeedsResource] of the profiles in force.
func (r *Reloader) NeedsResource(profile, tool string, g policy.Group, a policy.Action) bool {
	return r.Set().NeedsResource(profile, tool, g, a)
}
