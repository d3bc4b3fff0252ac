package ingest

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"confluence-mcp/internal/confluence"
)

// What a sync holds of bodies at once is bounded in bytes, not in pages: the
// mean page has some kilobytes, the largest known 1.5 MB, and nothing keeps a
// page from being larger.
const (
	wholeBody = 3 << 19   // a larger one is not mirrored; the tools show it in parts
	heavyBody = 256 << 10 // is parsed one at a time: a tree costs many times its page
	bodyRoom  = 8 << 20   // of all bodies on their way from Confluence to the mirror
	leastRoom = 64 << 10  // of one request
	mostRoom  = bodyRoom / 2
)

// room is what bounds the bodies of a sync.
type room struct {
	free  *semaphore.Weighted
	mean  atomic.Int64 // bytes of a page, of the batches that came last; 0: none did
	read  atomic.Int64 // bytes since memory was given back
	heavy sync.Mutex
}

func newRoom() *room { return &room{free: semaphore.NewWeighted(bodyRoom)} }

// take waits until there is room for as many bodies as are asked for, by what a
// page had so far.
func (r *room) take(ctx context.Context, pages int) (release func(), err error) {
	n := int64(mostRoom)
	if mean := r.mean.Load(); mean > 0 {
		n = min(max(2*mean*int64(pages), leastRoom), mostRoom)
	}
	if err := r.free.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { r.free.Release(n) }, nil
}

// learn takes what a batch had.
func (r *room) learn(pages int, bytes int64) {
	r.read.Add(bytes)
	one := max(bytes/int64(max(pages, 1)), 1)
	if mean := r.mean.Load(); mean > 0 {
		one = (3*mean + one) / 4
	}
	r.mean.Store(one)
}

// giveBack returns memory to the system after a pass that read much: a server
// is idle for minutes then.
func (r *room) giveBack() {
	if r.read.Swap(0) > bodyRoom {
		debug.FreeOSMemory()
	}
}

// deliver fetches a batch and gives it on. One that is too large for one answer
// is fetched in halves, each given on by itself.
func (w *sweep) deliver(ctx context.Context, c *chunk, out chan<- *chunk) error {
	release, err := w.s.room.take(ctx, len(c.ids))
	if err != nil {
		return err
	}
	err = w.fetch(ctx, c)
	if isTooLarge(err) && len(c.ids) > 1 {
		release()
		w.s.room.learn(len(c.ids), mostRoom)
		half := len(c.ids) / 2
		for _, ids := range [][]string{c.ids[:half], c.ids[half:]} {
			if err := w.deliver(ctx, &chunk{kind: c.kind, ids: ids, fresh: c.fresh}, out); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		release()
		return err
	}
	c.release = release
	select {
	case out <- c:
		return nil
	case <-ctx.Done():
		release()
		return ctx.Err()
	}
}

func isTooLarge(err error) bool {
	e := asError(err)
	return e != nil && e.StableCode() == tooLarge
}

// bulk asks for bodies of many at once. A single one that does not fit an
// answer is asked for without its body.
func (w *sweep) bulk(ctx context.Context, kind string, ids []string) ([]confluence.Page, error) {
	pages, err := w.s.cfg.Source.Bodies(ctx, kind, ids)
	if len(ids) == 1 && isTooLarge(err) {
		var one confluence.Page
		one, err = w.s.cfg.Source.Page(ctx, ids[0], confluence.PageOptions{Format: confluence.Storage, Part: confluence.Part{Whole: wholeBody, Size: 1}})
		pages = []confluence.Page{one}
	}
	if err != nil {
		return nil, err
	}
	sum := 0
	for i := range pages {
		sum += len(pages[i].Body)
	}
	w.s.room.learn(len(pages), int64(sum))
	return pages, nil
}

// huge leaves the body of a page out that is too large to be mirrored. Its text
// is its title then: a page without a body but with a text is one that is read
// live.
func (c *Content) huge() bool {
	if c.BodySize = max(c.BodySize, len(c.Body)); c.BodySize <= wholeBody {
		c.BodySize = 0
		return false
	}
	c.Body, c.Text = "", c.Title
	return true
}

func hugeProblem(space string, c *Content) Problem {
	return Problem{Space: space, Page: c.ID, Code: tooLarge,
		Text: fmt.Sprintf("the page has %d MB, more than is mirrored; it is read from Confluence and found by its title only", c.BodySize>>20)}
}
