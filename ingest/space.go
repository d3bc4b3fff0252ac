package ingest

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// sweep is the pass over one space. The phases are run in order; one that was
// interrupted by a rate limit goes on in the next pass of the integration.
type sweep struct {
	s      *Sync
	job    *job
	report *spaceReport
	space  confluence.Space
	pass   Pass
	first  *reading
	second *reading
	began  time.Time
	kept   clauses
	fresh  bool // no sweep of this space ever ended: nobody sees it yet
	steps  []func(context.Context) error

	failing atomic.Int32 // single pages in a row
	worked  int          // of wholeSpace, as the progress was told
}

// spaceReport is what the sweep of one space did.
type spaceReport struct {
	Nodes    int       `json:"nodes"`
	Read     int       `json:"read"`
	Changed  int       `json:"changed"`
	Vanished Vanished  `json:"vanished"`
	Purged   int       `json:"purged"` // found in the trash
	Problems []Problem `json:"problems,omitempty"`
}

func (s *Sync) newSweep(sp confluence.Space) *sweep {
	w := &sweep{s: s, space: sp, report: &spaceReport{}, began: s.cfg.Now(), kept: clauses{}}
	w.steps = []func(context.Context) error{w.begin, w.lookOnce, w.lookTwice, w.tighten, w.content, w.lookAfter, w.loosen, w.end}
	return w
}

// run goes on with the sweep. nil: it is finished.
func (w *sweep) run(ctx context.Context, j *job) error {
	w.job = j
	for len(w.steps) > 0 {
		if err := w.steps[0](ctx); err != nil {
			return err
		}
		w.steps = w.steps[1:]
		w.worksTo(wholeSpace - shares[len(w.steps)])
	}
	return nil
}

// shares is what is left of a space's work, by how many phases are left: most
// of it is the first look and the content.
var shares = [...]int{0, 0, 5, 15, 70, 75, 85, 98}

// worksTo tells the progress how much of the space's work is done.
func (w *sweep) worksTo(done int) {
	more := done - w.worked
	if more > 0 {
		w.worked = done
		w.job.tell(func(p *Progress) { p.add(more) })
	}
}

func (w *sweep) problem(page string, err error) {
	w.report.Problems = append(w.report.Problems, problemOf(w.space.Key, page, err))
}

func (w *sweep) hidden(page, cause string) {
	w.report.Problems = append(w.report.Problems, Problem{Space: w.space.Key, Page: page, Code: "sealed", Text: cause})
}

func (w *sweep) begin(ctx context.Context) error {
	pass, err := w.s.cfg.Mirror.Begin(ctx, w.s.cfg.Integration.ID, w.space)
	if err != nil {
		return err
	}
	w.pass, w.fresh = pass, pass.SweptAt().IsZero()
	w.first = w.s.newReading(w.space, w.known())
	return nil
}

// known tells the progress how many nodes of this space there are.
func (w *sweep) known() func(int) {
	before := 0
	return func(n int) {
		more := n - before
		before = n
		w.job.tell(func(p *Progress) { p.Pages += more })
	}
}

func (w *sweep) lookOnce(ctx context.Context) error {
	return w.look(ctx, w.first)
}

// look makes one reading and gives it to the mirror.
func (w *sweep) look(ctx context.Context, r *reading) error {
	if err := r.run(ctx); err != nil {
		return err
	}
	if err := w.readGrants(ctx); err != nil {
		return err
	}
	w.job.tell(func(p *Progress) { p.RightsRead += len(r.entries) })
	return w.pass.Observe(r.nodes()...)
}

func (w *sweep) readGrants(ctx context.Context) error {
	if w.s.cfg.Integration.Mode != guard.Synced {
		return w.pass.Grants(nil, false)
	}
	view, cause, err := w.s.grants(ctx, w.space.ID)
	if err != nil {
		return err
	}
	if cause != "" {
		w.hidden("", cause)
	}
	return w.pass.Grants(view, cause != "" && len(view) == 0)
}

// lookTwice reads everything again when something would become visible that was
// not, or when so much is missing that the listing itself is in doubt.
func (w *sweep) lookTwice(ctx context.Context) error {
	if w.fresh {
		return nil
	}
	if w.second == nil {
		again, err := w.pass.Laxer(ctx)
		if err != nil {
			return err
		}
		missing, err := w.pass.Missing(ctx)
		if err != nil {
			return err
		}
		if !again && !suspicious(len(missing), len(w.first.entries)) {
			return nil
		}
		w.second = w.s.newReading(w.space, func(int) {})
	}
	return w.lookAgain(ctx)
}

// lookAgain makes the second reading. What only the first one found is hidden
// until the next pass.
func (w *sweep) lookAgain(ctx context.Context) error {
	if err := w.look(ctx, w.second); err != nil {
		return err
	}
	for id, e := range w.first.entries {
		if w.second.entries[id] == nil {
			n := e.node()
			n.Clause, n.Cause, n.Gone = guard.Clause{}, causeGone, true
			if err := w.pass.Observe(n); err != nil {
				return err
			}
		}
	}
	w.first.entries = nil // a space may be large
	return nil
}

// suspicious says that too much vanished at once to be believed at first sight.
func suspicious(missing, left int) bool {
	return missing > 100 || missing > 1 && missing*5 > missing+left
}

// fewMissing are asked about one by one.
const fewMissing = 50

func (w *sweep) tighten(ctx context.Context) error {
	if err := w.confirm(ctx); err != nil {
		return err
	}
	v, err := w.pass.Tighten(ctx, true)
	if err != nil {
		return err
	}
	w.report.Vanished, w.report.Nodes = v, v.Left
	if v.Held {
		w.hidden("", "so much vanished at once that it is hidden and kept until the next pass confirms it")
	}
	for _, e := range w.latest().entries {
		if e.cause != "" {
			w.hidden(e.id, e.cause)
		}
	}
	if v.Hidden+v.Purged > 0 {
		w.s.cfg.Changed()
	}
	return nil
}

// confirm asks about the few pages that are not listed any more: one in the
// trash is removed at once, one that is where it was is kept.
func (w *sweep) confirm(ctx context.Context) error {
	missing, err := w.pass.Missing(ctx)
	if err != nil || len(missing) > fewMissing {
		return err
	}
	for _, id := range missing {
		page, err := w.s.cfg.Source.Page(ctx, id, confluence.PageOptions{})
		switch {
		case fatal(ctx, err):
			return err
		case err != nil:
			continue // hidden now, removed by the next pass
		case page.Status == confluence.StatusTrashed:
			if err := w.pass.Confirm(ctx, id); err != nil {
				return err
			}
			w.report.Purged++
		case page.SpaceID == w.space.ID && page.Status == confluence.StatusCurrent:
			if err := w.keep(ctx, page); err != nil {
				return err
			}
		}
	}
	return nil
}

// clauses are own restrictions by the id of their node.
type clauses map[string]guard.Clause

// twice reports whether the sweep before read the same of a page that its
// listing left out, too.
func (w *sweep) twice(id string, c guard.Clause) bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.kept[id] = c
	before, is := w.s.kept[w.space.ID][id]
	return is && before.State == c.State && slices.Equal(before.Of, c.Of)
}

// keep observes a page that the listing left out. It was not read when the space
// was, nor twice: its own rights get laxer when the next sweep has read the same,
// and what is above it is read again.
func (w *sweep) keep(ctx context.Context, page confluence.Page) error {
	e := &entry{id: page.ID, kind: page.Type, parent: page.ParentID, parentKind: page.ParentType, title: page.Title, version: page.Version.Number, position: page.Position, known: true}
	e.clause = guard.Clause{State: guard.Open}
	if w.first.rights {
		var err error
		if e.clause, e.cause, err = w.s.clause(ctx, page.ID); err != nil {
			return err
		}
	}
	if e.kind == confluence.TypeBlogPost && !w.s.cfg.BlogPosts {
		return nil
	}
	w.latest().entries[e.id] = e
	if err := w.pass.Observe(e.node()); err != nil || !w.first.rights {
		return err
	}
	if !w.twice(e.id, e.clause) {
		w.pass.Hold(e.id)
	}
	again, err := w.upwards(ctx, e.kind, []string{e.id})
	if err != nil {
		return err
	}
	return w.pass.Observe(again...)
}

// latest is the reading that content is compared with.
func (w *sweep) latest() *reading {
	if w.second != nil {
		return w.second
	}
	return w.first
}

// lookAfter reads the rights of a space nobody sees yet once more after its
// content: what was restricted meanwhile is restricted when it appears.
func (w *sweep) lookAfter(ctx context.Context) error {
	if !w.fresh || w.s.cfg.Integration.Mode != guard.Synced {
		return nil
	}
	if w.second == nil {
		w.first.shed()
		w.second = w.s.newReading(w.space, func(int) {})
	}
	if err := w.lookAgain(ctx); err != nil {
		return err
	}
	_, err := w.pass.Tighten(ctx, true)
	return err
}

func (w *sweep) loosen(ctx context.Context) error {
	if w.second != nil {
		if err := w.s.recheckCallers(ctx, mostRechecks); err != nil {
			return err
		}
	}
	return w.pass.Loosen(ctx)
}

func (w *sweep) end(ctx context.Context) error {
	text, err := json.Marshal(w.report)
	if err != nil {
		return err
	}
	w.s.mu.Lock()
	w.s.kept[w.space.ID] = w.kept
	w.s.mu.Unlock()
	// What was published stays so: its end is written whoever still waits.
	if err := w.pass.End(context.WithoutCancel(ctx), string(text)); err != nil {
		return err
	}
	w.s.cfg.Changed()
	return nil
}
