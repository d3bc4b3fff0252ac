package index

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/index/scorch/mergeplan"
	bleve "github.com/blevesearch/bleve_index_api"

	"confluence-mcp/internal/confluence"
)

// Every segment repeats the dictionary and is looked up by each search, and the
// files of before a merge stay until a later commit. bleve merges as it pleases;
// what it leaves when an index has caught up is put in order here:
//
//	raggedShare  so much beside the largest segment makes one segment of all: an
//	             index that grows is written anew each time it is half as large again
//	raggedLeast  is what is not worth it, in documents; fewer changes are a few
//	garbageShare, garbageLeast  are what may lie about beside the files that count
//	largeMerge   is from where on memory is given back before a merge, in bytes
//	tidyLongest  bounds the pauses in which bleve removes it; searches may hold files
//	tidyShort    the same after a few changes: the next ones wait for them to end
const (
	raggedShare  = 2
	raggedLeast  = 1000
	garbageShare = 16
	garbageLeast = 256 << 10
	tidyLongest  = time.Second
	tidyShort    = 4 * time.Millisecond
	largeMerge   = 64 << 20
)

// all is a number of changes: the index was built anew.
const all = math.MaxInt64

// layout is how the documents of a shelf lie.
type layout struct {
	segments int
	largest  int64 // documents of the largest segment
	rest     int64 // documents of the others, deleted ones included
	bytes    int64 // of the files that count
}

func (s *shelf) layout() (l layout, err error) {
	snap, err := s.snapshot()
	if err != nil {
		return l, err
	}
	defer snap.Close()
	for _, seg := range snap.Segments() {
		l.segments++
		l.largest = max(l.largest, seg.LiveSize())
		l.rest += seg.FullSize()
		l.bytes += seg.FileSize()
	}
	l.rest -= l.largest
	return l, nil
}

func (l layout) ragged() bool {
	return l.segments > 1 && l.rest >= raggedLeast && l.rest*raggedShare >= l.largest
}

// settle puts the files in order when an index has caught up with so many
// changes; all of them make one segment in any case: what was built at once is
// searched most.
func (s *shelf) settle(ctx context.Context, changes int64) error {
	l, err := s.layout()
	if err != nil {
		return err
	}
	if !l.ragged() && (changes != all || l.segments < 2) {
		if changes < raggedLeast {
			return s.tidy(ctx, tidyShort)
		}
		return s.tidy(ctx, tidyLongest)
	}
	if l.bytes >= largeMerge {
		debug.FreeOSMemory() // of the batches
	}
	if err := s.merge(ctx); err != nil {
		return err
	}
	return s.tidy(ctx, tidyLongest)
}

// merge makes one segment of all. bleve's own plan for that takes ten segments
// at once, and leaves several of more. A merge that fails, of a full disk for
// one, is tried by bleve again and again: the shelf is stuck then.
func (s *shelf) merge(ctx context.Context) error {
	store, ok := s.store.(*scorch.Scorch)
	if !ok {
		return nil
	}
	plan := mergeplan.SingleSegmentMergePlanOptions
	plan.SegmentsPerMergeTask = 1 << 20
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := mergeErrors(store)
	done := make(chan error, 1)
	go func() { done <- store.ForceMerge(ctx, &plan) }()
	look := time.NewTicker(lookAtMerge)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return errors.Join(err, ctx.Err())
		case <-look.C:
			s.letGo()
			if mergeErrors(store) > before {
				s.stuck.Store(true)
				return errMerge
			}
		}
	}
}

var errMerge = errors.New("the segments of the index cannot be merged")

func mergeErrors(store *scorch.Scorch) uint64 {
	n, _ := store.StatsMap()["TotFileMergeLoopErr"].(uint64)
	return n
}

// tidy has bleve remove the files of before merges: it does so when it has
// nothing else to do after a commit, of what the commit before it left.
func (s *shelf) tidy(ctx context.Context, longest time.Duration) error {
	seq, ok := s.seq()
	for pause := 2 * time.Millisecond; pause <= longest; pause *= 2 {
		l, err := s.layout()
		if err != nil || !ok || sizeOf(s.path)-l.bytes <= max(l.bytes/garbageShare, garbageLeast) {
			return err
		}
		b := bleve.NewBatch()
		b.SetInternal([]byte(seqKey), encodeSeq(seq))
		if err := s.commit(ctx, b); err != nil {
			return err
		}
		if err := confluence.Pause(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}
