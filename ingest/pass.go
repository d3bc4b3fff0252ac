package ingest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// spacesAtOnce is how many spaces are swept side by side.
const spacesAtOnce = 4

// downAfter is after how many spaces in a row that failed because Confluence
// does not answer the pass gives up.
const downAfter = 3

// pass goes over the whole integration once.
func (s *Sync) pass(ctx context.Context, j *job) (Report, error) {
	p := &pass{s: s, job: j, report: Report{Started: s.cfg.Now(), Full: j.full}}
	p.oldest = p.report.Started
	err := p.run(ctx)
	s.room.giveBack()
	p.report.Took = s.cfg.Now().Sub(p.report.Started)
	p.report.Held, p.report.Waiting = sortedUnique(p.report.Held), sortedUnique(p.report.Waiting)
	s.conclude(p.report, err)
	s.tellEnd(p.report, err)
	if failed := s.keepRefusal(context.WithoutCancel(ctx), err); failed != nil {
		s.cfg.Logger.Warn("how the pass ended is not kept", slog.String("integration", s.cfg.Integration.Name), slog.Any("error", failed))
	}
	if len(p.report.Held) > 0 {
		s.cfg.Logger.Warn("so much vanished that it is only hidden until the next pass confirms it", slog.String("integration", s.cfg.Integration.Name),
			slog.Any("spaces", p.report.Held), slog.Int("hidden", p.report.Hidden))
	}
	return p.report, err
}

// tellEnd logs how a pass ended.
func (s *Sync) tellEnd(r Report, err error) {
	said := []any{slog.String("integration", s.cfg.Integration.Name), slog.Bool("full", r.Full), slog.Bool("complete", r.Complete), slog.Int("nodes", r.Nodes),
		slog.Int("changed", r.Changed), slog.Int("problems", len(r.Problems)+r.Left), slog.Int64("took_ms", r.Took.Milliseconds())}
	switch {
	case errors.Is(err, context.Canceled): // it goes on another time; nothing is wrong with what it was at
		said = append(said, slog.Bool("stopped", true))
	case err != nil:
		said = append(said, slog.Any("error", err))
	}
	s.cfg.Logger.Info("sync pass ended", said...)
}

// pass is one pass under way.
type pass struct {
	s      *Sync
	job    *job
	report Report

	mu     sync.Mutex
	down   int       // spaces in a row
	bad    int       // spaces that were not read to their end
	oldest time.Time // when the first of its sweeps began: one may go on that an earlier pass began
}

func (p *pass) run(ctx context.Context) error {
	me, err := p.site(ctx)
	if err != nil {
		return err
	}
	m, err := p.s.reread(ctx) // the mirror has forgotten what another account had read
	if err != nil {
		return err
	}
	if p.job.full && p.report.Started.Sub(m.Began) >= p.s.cfg.FullInterval { // else an unfinished one goes on
		m.Began = p.report.Started
		if err := p.s.setMarks(ctx, m); err != nil {
			return err
		}
	}
	c := &census{s: p.s, me: me}
	if err := p.people(ctx, c.open); err != nil {
		return err
	}
	if err := p.spaces(ctx); err != nil {
		return err
	}
	if err := p.people(ctx, func(ctx context.Context, _ bool, _ *Report) error { return c.close(ctx) }); err != nil {
		return err
	}
	if p.report.Complete = p.bad == 0; !p.report.Complete {
		return nil
	}
	m.Complete = p.oldest
	if p.job.full {
		m.Full, m.Began = m.Began, time.Time{}
	}
	return p.s.setMarks(ctx, m)
}

// site finds out who the connecting account is and whether anonymous visitors
// are let in, and tells the mirror the rule it shows the integration by.
func (p *pass) site(ctx context.Context) (confluence.User, error) {
	me, err := p.s.cfg.Source.CurrentUser(ctx)
	if err != nil {
		return me, err
	}
	i := p.s.rule()
	i.Account = me.ID
	if i.Mode == guard.Synced {
		if i.Anonymous, err = p.s.cfg.Source.OpenToAnonymous(ctx); err != nil {
			return me, err
		}
	}
	return me, p.s.show(ctx, i)
}

// people runs a part of the census where rights are synced. What fails for a
// while leaves the last good memberships; when the account may not read them any
// more nobody's are known.
func (p *pass) people(ctx context.Context, part func(context.Context, bool, *Report) error) error {
	if p.s.cfg.Integration.Mode != guard.Synced {
		return nil
	}
	err := part(ctx, p.job.full, &p.report)
	if err == nil || fatal(ctx, err) {
		return err
	}
	p.report.problem(problemOf("", "", err))
	p.bad++
	if taken(err) {
		return p.s.forgetMemberships(ctx)
	}
	return nil
}

// spaces sweeps every space, those whose rights are oldest first.
func (p *pass) spaces(ctx context.Context) error {
	there, err := p.listed(ctx)
	if err != nil {
		return err
	}
	known, err := p.s.cfg.Mirror.Spaces(ctx, p.s.cfg.Integration.ID)
	if err != nil {
		return err
	}
	due, lost, err := p.sorted(ctx, there, known)
	if err != nil {
		return err
	}
	p.job.tell(func(g *Progress) { g.Spaces = len(due) + len(lost) })
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(spacesAtOnce)
	for _, sp := range due {
		if inner.Err() != nil {
			break
		}
		g.Go(func() error { return p.space(inner, ctx, sp) })
	}
	if err := g.Wait(); err != nil {
		p.wait(due)
		return err
	}
	for _, sp := range lost {
		if err := p.forsake(ctx, sp); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wait names the spaces whose sweep goes on in the next pass.
func (p *pass) wait(due []confluence.Space) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for _, sp := range due {
		if p.s.parked[sp.ID] != nil {
			p.report.Waiting = append(p.report.Waiting, sp.Key)
		}
	}
}

// listed are the spaces that are mirrored, by id.
func (p *pass) listed(ctx context.Context) (map[string]confluence.Space, error) {
	out := map[string]confluence.Space{}
	err := everyPage(ctx, func(paging confluence.Paging) (string, error) {
		l, err := p.s.cfg.Source.Spaces(ctx, confluence.SpaceFilter{Status: confluence.StatusCurrent}, paging)
		for _, sp := range l.Items {
			if p.s.mirrors(sp) {
				out[sp.ID] = sp
			}
		}
		return l.Next, err
	})
	return out, err
}

// mirrors says whether a space is one to keep a copy of.
func (s *Sync) mirrors(sp confluence.Space) bool {
	switch sp.Type {
	case "global", "knowledge_base", "collaboration":
	default:
		return false
	}
	if sp.ID == "" || sp.Status != confluence.StatusCurrent {
		return false
	}
	return len(s.cfg.Spaces) == 0 || slices.ContainsFunc(s.cfg.Spaces, func(key string) bool { return strings.EqualFold(key, sp.Key) })
}

// sorted orders the listed spaces by the age of their rights, and gives those
// the mirror knows that are not there any more. One that only the listing left
// out is asked about by its key.
func (p *pass) sorted(ctx context.Context, there map[string]confluence.Space, known []Swept) (due []confluence.Space, lost []Swept, err error) {
	seen := map[string]bool{}
	for _, k := range known {
		sp, is := there[k.Space.ID]
		if !is {
			if sp, is, err = p.find(ctx, k.Space); err != nil {
				return nil, nil, err
			}
		}
		seen[k.Space.ID] = true
		if is {
			due = append(due, sp)
		} else {
			lost = append(lost, k)
		}
	}
	var fresh []confluence.Space
	for id, sp := range there {
		if !seen[id] {
			fresh = append(fresh, sp)
		}
	}
	slices.SortFunc(fresh, func(a, b confluence.Space) int { return strings.Compare(a.Key, b.Key) })
	return append(fresh, due...), lost, nil
}

func (p *pass) find(ctx context.Context, old confluence.Space) (confluence.Space, bool, error) {
	if !p.s.mirrors(old) {
		return old, false, nil // it is the configuration that leaves it out
	}
	l, err := p.s.cfg.Source.Spaces(ctx, confluence.SpaceFilter{Keys: []string{old.Key}}, confluence.Paging{})
	if err != nil && (fatal(ctx, err) || confluence.KindOf(err) == confluence.Unavailable) {
		return old, false, err
	}
	for _, sp := range l.Items {
		if sp.ID == old.ID && p.s.mirrors(sp) {
			return sp, true, nil
		}
	}
	return old, false, nil
}

// space sweeps one space. Only what concerns every other space too is an error:
// then the others stop as well, and all of them go on in the next pass unless
// whole was cancelled.
func (p *pass) space(ctx, whole context.Context, sp confluence.Space) error {
	p.job.tell(func(g *Progress) { g.Space = sp.Key })
	w := p.s.take(sp)
	err := w.run(ctx, p.job)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(sp, w)
	p.job.tell(func(g *Progress) { g.SpacesDone++; g.add(wholeSpace - w.worked) })
	if err == nil {
		p.down = 0
		return nil
	}
	p.bad++
	if fatal(ctx, err) {
		if rateLimited(err) || whole.Err() == nil && ctx.Err() != nil {
			p.s.park(w)
		}
		return err
	}
	p.report.problem(problemOf(sp.Key, "", err))
	switch confluence.KindOf(err) {
	case confluence.Unavailable:
		if p.down++; p.down >= downAfter {
			return err
		}
	case confluence.NotFound, confluence.Denied:
		return p.s.seal(ctx, sp) // the right to read it is lost, or it is gone
	}
	return nil
}

// add takes over what the sweep of a space reports. Locked.
func (p *pass) add(sp confluence.Space, w *sweep) {
	r := w.report
	if w.began.Before(p.oldest) {
		p.oldest = w.began
	}
	p.report.Spaces++
	p.report.Nodes += r.Nodes
	p.report.Read += r.Read
	p.report.Changed += r.Changed
	p.report.Hidden += r.Vanished.Hidden
	p.report.Purged += r.Vanished.Purged + r.Purged
	if r.Vanished.Held {
		p.report.Held = append(p.report.Held, sp.Key)
	}
	for _, one := range r.Problems {
		p.report.problem(one)
	}
}

// take gives the sweep that was interrupted in an earlier pass, or a new one.
func (s *Sync) take(sp confluence.Space) *sweep {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lost, sp.ID)
	w := s.parked[sp.ID]
	delete(s.parked, sp.ID)
	if w == nil || s.cfg.Now().Sub(w.began) > s.cfg.FullInterval {
		return s.newSweep(sp)
	}
	w.report, w.worked = &spaceReport{}, 0
	return w
}

func (s *Sync) park(w *sweep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked[w.space.ID] = w
}

// seal hides a space at once and keeps what the mirror has of it.
func (s *Sync) seal(ctx context.Context, sp confluence.Space) error {
	pass, err := s.cfg.Mirror.Begin(ctx, s.cfg.Integration.ID, sp)
	if err != nil {
		return err
	}
	if err := pass.Grants(nil, true); err != nil {
		return err
	}
	if _, err := pass.Tighten(ctx, false); err != nil {
		return err
	}
	return pass.End(ctx, `{"sealed":true}`)
}

// purgeAfter is for how many passes in a row a space must be missing before its
// rows are given up, which takes two passes more.
const purgeAfter = 2

// forsake hides a space that is not there any more. Its rows are removed only
// when several passes have not found it.
func (p *pass) forsake(ctx context.Context, old Swept) error {
	p.s.mu.Lock()
	p.s.lost[old.Space.ID]++
	n := p.s.lost[old.Space.ID]
	delete(p.s.parked, old.Space.ID) // it would open the space by what it read before
	p.s.mu.Unlock()
	defer p.job.tell(func(g *Progress) { g.SpacesDone++; g.add(wholeSpace) })
	if old.Nodes == 0 {
		return nil
	}
	p.report.problem(Problem{Space: old.Space.Key, Code: "space.gone", Text: "the space is not there, or not mirrored, any more; it is hidden"})
	if n <= purgeAfter {
		p.report.Hidden += old.Nodes - old.Gone
		return p.s.seal(ctx, old.Space)
	}
	pass, err := p.s.cfg.Mirror.Begin(ctx, p.s.cfg.Integration.ID, old.Space)
	if err != nil {
		return err
	}
	if err := pass.Grants(nil, true); err != nil {
		return err
	}
	v, err := pass.Tighten(ctx, true)
	if err != nil {
		return err
	}
	p.report.Purged += v.Purged
	p.s.cfg.Changed()
	return pass.End(ctx, `{"forsaken":true}`)
}
