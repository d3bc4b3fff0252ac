package index

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	bleve "github.com/blevesearch/bleve_index_api"
	"golang.org/x/sync/errgroup"

	"confluence-mcp/store/mirror"
)

// One batch is one commit. Its text is bounded, because analysed text takes ten
// times its size in memory; two batches exist at a time.
const (
	batchText    = 2 << 20 // bytes of title and text
	batchChanges = 2000
	readPages    = 100 // pages read at once for a rebuilding
	keptChanges  = 1000
)

// Follow reads the log to its end. An index that does not fit the log, was not
// finished or is damaged is built anew, beside the old one where that can still
// be searched. Calls wait for each other; a call that ends early has written
// whole batches, and the next goes on from there.
//
// Kind Unavailable when the log cannot be read or the index not be written; what
// is there stays searchable where possible.
func (x *Index) Follow(ctx context.Context) error {
	return x.change(ctx, func(s *shelf) error {
		fits, err := x.fits(ctx, s)
		if err != nil {
			return err
		}
		if !fits {
			return x.build(ctx, s)
		}
		before, _ := s.seq()
		if err := x.catchUp(ctx, s); err != nil {
			return err
		}
		after, _ := s.seq()
		if after == before {
			return nil
		}
		return s.settle(ctx, after-before)
	})
}

// Rebuild builds the index anew, whatever it is like; the old one is searched
// until the new one is complete.
func (x *Index) Rebuild(ctx context.Context) error {
	return x.change(ctx, func(s *shelf) error { return x.build(ctx, s) })
}

// change runs what changes the index, alone.
func (x *Index) change(ctx context.Context, do func(*shelf) error) error {
	select {
	case x.turn <- struct{}{}:
	case <-ctx.Done():
		return unavailable("follow", ctx.Err())
	}
	defer func() { <-x.turn }()
	s, err := x.sound()
	if err != nil {
		return unavailable("follow", err)
	}
	if err := do(s); err != nil {
		if s.stuck.Load() {
			x.reopen(s)
		}
		return unavailable("follow", err)
	}
	return nil
}

// sound gives the index that counts, a new one in place of a damaged one.
func (x *Index) sound() (*shelf, error) {
	x.mu.Lock()
	s, closed := x.current, x.closed
	x.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("the index is closed")
	}
	if s != nil && s.cause() == nil {
		return s, nil
	}
	fresh, err := x.begin()
	if err != nil {
		return nil, err
	}
	return fresh, x.replace(fresh, s)
}

// replace makes a shelf the one that counts and puts the old one away.
func (x *Index) replace(fresh, old *shelf) error {
	if err := x.point(fresh); err != nil {
		return err
	}
	x.mu.Lock()
	x.current = fresh
	x.mu.Unlock()
	if old == nil {
		return nil
	}
	old.drain()
	if err := old.close(); err != nil {
		x.cfg.Logger.Warn("the old search index was not closed cleanly", "cause", err)
	}
	if cause := old.cause(); cause != nil {
		x.aside(filepath.Base(old.path), cause)
		return nil
	}
	x.remove(old.path)
	return nil
}

func (x *Index) fits(ctx context.Context, s *shelf) (bool, error) {
	seq, ok := s.seq()
	if !ok {
		return false, nil
	}
	before, last, err := x.cfg.Log.Range(ctx)
	return before <= seq && seq <= last, err
}

// build fills a new index from all pages: in place when that one is empty and
// was never complete, else beside the old one. One that was is searched.
func (x *Index) build(ctx context.Context, old *shelf) error {
	to := old
	if _, complete := old.seq(); complete || old.documents() > 0 {
		var err error
		if to, err = x.begin(); err != nil {
			return err
		}
	}
	err := x.fill(ctx, to)
	if err == nil {
		err = x.catchUp(ctx, to)
	}
	if err == nil {
		err = to.settle(ctx, all)
	}
	if to == old {
		return err
	}
	if err == nil {
		return x.replace(to, old)
	}
	if closing := to.close(); closing != nil {
		x.cfg.Logger.Warn("an unfinished search index was not closed cleanly", "cause", closing)
	}
	x.remove(to.path)
	return err
}

// fill writes all pages. The number of the log, from before the first was
// read, is in the last batch: what changed meanwhile is read again.
func (x *Index) fill(ctx context.Context, to *shelf) error {
	_, seq, err := x.cfg.Log.Range(ctx)
	if err != nil {
		return err
	}
	after := uint32(0)
	return x.write(ctx, to, func(b *batch) (bool, error) {
		for b.text < batchText {
			pages, err := x.cfg.Log.All(ctx, after, readPages)
			if err != nil {
				return false, err
			}
			if len(pages) == 0 {
				b.seq, b.sealed = seq, true
				return false, nil
			}
			for i := range pages {
				b.put(&pages[i])
				after = pages[i].Index
			}
		}
		return true, nil
	})
}

// catchUp reads the log from the index's number to its end. What was read by many
// calls is forgotten at once.
func (x *Index) catchUp(ctx context.Context, to *shelf) error {
	seq, ok := to.seq()
	if !ok {
		return errShape
	}
	before, _, err := x.cfg.Log.Range(ctx)
	if err != nil {
		return err
	}
	err = x.write(ctx, to, func(b *batch) (bool, error) {
		changes, err := x.cfg.Log.Changes(ctx, seq, batchChanges)
		if err != nil {
			return false, err
		}
		done := map[uint32]bool{}
		for _, c := range changes {
			if b.text >= batchText {
				return true, nil
			}
			seq, b.seq, b.sealed = c.Seq, c.Seq, true
			if done[c.Index] {
				continue
			}
			done[c.Index] = true
			p, there, err := x.cfg.Log.Page(ctx, c.Index)
			if err != nil {
				return false, err
			}
			if there {
				b.put(&p)
			} else {
				b.gone = append(b.gone, c.Index)
			}
		}
		return len(changes) == batchChanges, nil
	})
	if err != nil || seq-before < keptChanges {
		return err
	}
	return x.cfg.Log.Trim(ctx, seq)
}

// batch is what one commit holds.
type batch struct {
	pages  []*mirror.Page
	gone   []uint32
	text   int
	seq    int64
	sealed bool // seq is to be written
}

func (b *batch) put(p *mirror.Page) {
	p.Body = ""
	b.pages = append(b.pages, p)
	b.text += len(p.Title) + len(p.Text) + 256
}

// write commits batches until read says that there are no more. The next batch
// is read and analysed while the last is written.
func (x *Index) write(ctx context.Context, to *shelf, read func(*batch) (more bool, err error)) error {
	writing := make(chan error, 1)
	writing <- nil
	written := 0
	for more := true; more; {
		b := &batch{}
		var err error
		var ready *bleve.Batch
		if more, err = read(b); err == nil {
			ready, err = x.analyse(ctx, b)
		}
		if before := <-writing; before != nil {
			err = before
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if written += b.text; written >= letGoText {
			to.letGo()
			written = 0
		}
		go func() { writing <- x.commit(ctx, to, ready) }()
	}
	return <-writing
}

func (x *Index) commit(ctx context.Context, to *shelf, b *bleve.Batch) error {
	if len(b.IndexOps)+len(b.InternalOps) == 0 {
		return nil
	}
	err := to.commit(ctx, b)
	if err != nil {
		to.stuck.Store(true)
	}
	return err
}

// reopen goes back to what was written last: after a write that failed, of a
// full disk for one, bleve tries again and again.
func (x *Index) reopen(s *shelf) {
	x.mu.Lock()
	x.current = nil
	x.mu.Unlock()
	s.drain()
	if err := s.close(); err != nil {
		x.cfg.Logger.Warn("the search index was not closed cleanly", "cause", err)
	}
	again, err := openShelf(s.path)
	if err != nil {
		x.aside(filepath.Base(s.path), err)
		return
	}
	x.mu.Lock()
	x.current = again
	x.mu.Unlock()
}

// analyse cuts the words of a batch on all cores.
func (x *Index) analyse(ctx context.Context, b *batch) (*bleve.Batch, error) {
	docs := make([]*document, len(b.pages))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const share = 16
	for from := 0; from < len(docs); from += share {
		g.Go(func() error {
			for i := from; i < min(from+share, len(docs)); i++ {
				docs[i] = x.words.document(b.pages[i])
				b.pages[i] = nil
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := bleve.NewBatch()
	for _, d := range docs {
		out.Update(d)
	}
	for _, idx := range b.gone {
		out.Delete(documentID(idx))
	}
	if b.sealed {
		out.SetInternal([]byte(seqKey), encodeSeq(b.seq))
	}
	return out, nil
}
