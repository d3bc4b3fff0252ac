package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	bleve "github.com/blevesearch/bleve_index_api"
	"github.com/blevesearch/vellum/levenshtein"
)

// shelf is one index in one folder. While it is open bleve writes into the
// folder whenever it likes, so a folder is never renamed or used again: the
// file "current" says which one counts.
type shelf struct {
	path     string
	store    bleve.Index
	queue    *bleve.AnalysisQueue
	segments segments
	pools    pools
	users    sync.WaitGroup
	damage   atomic.Pointer[error] // what was read made no sense
	stuck    atomic.Bool           // a write failed

	nearOnce sync.Once
	nearBy   *levenshtein.LevenshteinAutomatonBuilder
	nearErr  error
}

const currentFile = "current"

// seqKey holds, in the index itself: mappingVersion (4 bytes), the number of the
// last change (8), the checksum of both (4). An index that is being built has
// none.
const seqKey = "seq"

func encodeSeq(seq int64) []byte {
	b := binary.BigEndian.AppendUint32(nil, mappingVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

var errForeign = errors.New("the index is of another version")

func decodeSeq(b []byte) (int64, error) {
	if len(b) != 16 || crc32.ChecksumIEEE(b[:12]) != binary.BigEndian.Uint32(b[12:]) {
		return 0, errShape
	}
	if binary.BigEndian.Uint32(b) != mappingVersion {
		return 0, errForeign
	}
	return int64(binary.BigEndian.Uint64(b[4:])), nil
}

// settings are bleve's. Fewer segments than usual (4 of a size, not 10) cost
// little when merging: each repeats the dictionary, and each is looked up.
func settings(path string) map[string]any {
	return map[string]any{"path": path, "bolt_timeout": "5s", "scorchMergePlanOptions": map[string]any{"MaxSegmentsPerTier": 4}}
}

// openShelf opens a folder, or makes it. Every segment is read once and
// compared with its checksum.
func openShelf(path string) (s *shelf, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic while opening: %T", r)
		}
	}()
	s = &shelf{path: path, queue: bleve.NewAnalysisQueue(1)}
	s.store, err = scorch.NewScorch(scorch.Name, settings(path), s.queue)
	if err != nil {
		return nil, err
	}
	if err := s.store.Open(); err != nil {
		s.queue.Close()
		return nil, err
	}
	if err := s.verify(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// errUnfinished: bleve starts empty where it cannot load what was there, and
// does not get on with the files of before.
var errUnfinished = errors.New("the index was not finished, or lost a file")

func (s *shelf) unfinished() bool {
	if _, ok := s.seq(); ok || s.documents() > 0 {
		return false
	}
	left, err := filepath.Glob(filepath.Join(s.path, "*.zap"))
	return err != nil || len(left) > 0
}

func (s *shelf) snapshot() (*scorch.IndexSnapshot, error) {
	r, err := s.store.Reader()
	if err != nil {
		return nil, err
	}
	snap, ok := r.(*scorch.IndexSnapshot)
	if !ok || snap == nil {
		return nil, scorch.ErrClosed
	}
	return snap, nil
}

// verify reads everything and compares checksums: bleve does not.
func (s *shelf) verify() error {
	snap, err := s.snapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	for _, seg := range snap.Segments() {
		f, ok := seg.Segment().(interface{ Data() []byte })
		if !ok {
			continue
		}
		data := f.Data()
		if len(data) < 4 || crc32.ChecksumIEEE(data[:len(data)-4]) != binary.BigEndian.Uint32(data[len(data)-4:]) {
			return fmt.Errorf("segment %d: wrong checksum", seg.Id())
		}
	}
	if b := snap.Internal()[seqKey]; b != nil {
		if _, err := decodeSeq(b); err != nil {
			return err
		}
	}
	if s.unfinished() {
		return errUnfinished
	}
	_, err = s.segments.of(snap)
	return err
}

// seq gives the number of the last change; false while the index is built.
func (s *shelf) seq() (int64, bool) {
	snap, err := s.snapshot()
	if err != nil {
		return 0, false
	}
	defer snap.Close()
	seq, err := decodeSeq(snap.Internal()[seqKey])
	return seq, err == nil
}

func (s *shelf) documents() int {
	snap, err := s.snapshot()
	if err != nil {
		return 0
	}
	defer snap.Close()
	n, err := snap.DocCount()
	if err != nil {
		return 0
	}
	return int(n)
}

// cause tells why the shelf must be replaced; nil while it need not.
func (s *shelf) cause() error {
	if e := s.damage.Load(); e != nil {
		return *e
	}
	return nil
}

// batchTime is how long bleve may take to write a batch out before it counts
// as dead: its writer ends without a word when the files fail under it.
const batchTime = 2 * time.Minute

// commit writes a batch and waits until it is on disk.
func (s *shelf) commit(ctx context.Context, b *bleve.Batch) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic while writing: %T", r)
			}
		}()
		done <- s.store.Batch(b)
	}()
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-late.Done():
		return errors.New("the index did not write a batch out in time")
	}
}

// drain waits for the searches that use the shelf.
func (s *shelf) drain() { s.users.Wait() }

func (s *shelf) close() error {
	defer s.queue.Close()
	return s.store.Close()
}

var shelfName = regexp.MustCompile(`^g-[0-9]{6,}$`)

// currentName reads which folder counts; empty when there is none.
func (x *Index) currentName() (string, error) {
	b, err := os.ReadFile(filepath.Join(x.dir, currentFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	name := strings.TrimSpace(string(b))
	if err == nil && !shelfName.MatchString(name) {
		return "", nil
	}
	return name, err
}

// begin opens a new, empty folder.
func (x *Index) begin() (*shelf, error) {
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return nil, err
	}
	last := 0
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "g-%d", &n); err == nil {
			last = max(last, n)
		}
	}
	return openShelf(filepath.Join(x.dir, fmt.Sprintf("g-%06d", last+1)))
}

// point makes a shelf the one that counts, from the next start on.
func (x *Index) point(s *shelf) error {
	temp := filepath.Join(x.dir, currentFile+".new")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(filepath.Base(s.path) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(x.dir, currentFile))
}

// sweep removes folders that do not count: a building that was not finished.
func (x *Index) sweep(keep string) {
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if shelfName.MatchString(e.Name()) && e.Name() != keep {
			x.remove(filepath.Join(x.dir, e.Name()))
		}
	}
}

func (x *Index) remove(path string) {
	if err := os.RemoveAll(path); err != nil {
		x.cfg.Logger.Warn("an old search index cannot be removed", "path", path, "cause", err)
	}
}

const asidePrefix = "damaged-"

// aside puts a damaged folder away, for whoever wants to look at it, and removes
// the one before. One of another version is only removed.
func (x *Index) aside(name string, cause error) {
	path := filepath.Join(x.dir, name)
	if errors.Is(cause, errForeign) || errors.Is(cause, errUnfinished) {
		x.cfg.Logger.Info("the search index is built again", "cause", cause)
		x.remove(path)
		return
	}
	x.mu.Lock()
	x.damage = cause.Error()
	x.mu.Unlock()
	x.cfg.Logger.Error("the search index is damaged; it is put aside and built again", "cause", cause)
	if old, err := filepath.Glob(filepath.Join(x.dir, asidePrefix+"*")); err == nil {
		for _, o := range old {
			x.remove(o)
		}
	}
	to := filepath.Join(x.dir, asidePrefix+x.cfg.Now().UTC().Format("20060102T150405")+"-"+name)
	if err := os.Rename(path, to); err != nil {
		x.remove(path)
	}
}
