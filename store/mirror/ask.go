package mirror

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

// Bounds of what Confluence is asked for one answer of the mirror.
const (
	askRounds   = 4                // readings of which each may ask
	mostUnsure  = 64               // classes in one round
	askAtOnce   = 8                // questions on their way
	askPatience = 10 * time.Second // of one round
)

// How long an answer counts, and how long a question that was not answered is
// not put again.
const (
	answerAge  = 5 * time.Minute
	failureAge = 30 * time.Second
)

// doubt is a page of a class: nodes that Confluence judges alike.
type doubt struct {
	class uint32
	page  Ref
	below string // id of the class's node; empty where that is the page itself
}

// Resolve asks Confluence about nodes that a view could not judge, and gives the
// same view with what it said. At most 64 classes of them are asked about, within
// ten seconds; what is left stays as it is.
func (m *Mirror) Resolve(ctx context.Context, who identity.Caller, v *guard.View, nodes []uint32) (*guard.View, error) {
	if m.verify == nil {
		return v, nil
	}
	var open []doubt
	err := m.once(ctx, "look up nodes", who, func(r *reading) error {
		r.view = v
		for _, idx := range nodes {
			r.sees(idx)
		}
		var err error
		open, err = r.doubts()
		return err
	})
	if err != nil {
		return nil, err
	}
	m.ask(ctx, who, open)
	return v.With(m.asked.of(who, v.Snapshot(), m.now())), nil
}

// doubts are the classes a reading could not judge, each with a page of it.
func (r *reading) doubts() ([]doubt, error) {
	var out []doubt
	for _, class := range slices.Sorted(maps.Keys(r.unsure)) {
		q, err := r.doubt(class, r.unsure[class])
		if err != nil {
			return nil, err
		}
		if q.page.ID != "" {
			out = append(out, q)
		}
	}
	return out, nil
}

// doubt finds what to ask about a class. Confluence judges pages; a folder is
// asked about only where there is no page in it, of which it would be the
// verdict too.
func (r *reading) doubt(class, idx uint32) (doubt, error) {
	q := doubt{class: class}
	var kind, above string
	err := r.QueryRowContext(r.ctx, "SELECT integration, id, type FROM node WHERE idx = ?", idx).Scan(&q.page.Integration, &q.page.ID, &kind)
	if errors.Is(err, sql.ErrNoRows) {
		return doubt{}, nil // gone since
	}
	if err != nil {
		return q, err
	}
	above, err = r.idOf(class)
	if errors.Is(err, sql.ErrNoRows) {
		return doubt{}, nil
	}
	if err != nil {
		return q, err
	}
	if kind != confluence.TypePage && kind != confluence.TypeBlogPost {
		if err := r.pageIn(class, &q); err != nil {
			return q, err
		}
	}
	if above != q.page.ID {
		q.below = above
	}
	return q, nil
}

func (r *reading) idOf(idx uint32) (string, error) {
	var id string
	err := r.ask(parentQuery, idx).Scan(&id)
	return id, err
}

// pageIn puts a page of the class in the place of its folder.
func (r *reading) pageIn(class uint32, q *doubt) error {
	rows, err := r.QueryContext(r.ctx, "SELECT idx, id FROM node WHERE parent = ? AND type IN ('page', 'blogpost') AND gone = 0 ORDER BY idx", class)
	found := false
	return eachRow(rows, err, func(s *sql.Rows) error {
		var idx uint32
		var id string
		err := s.Scan(&idx, &id)
		if !found && r.view.Class(idx) == class {
			q.page.ID, found = id, true
		}
		return err
	})
}

// ask puts questions to Confluence and remembers what it says.
func (m *Mirror) ask(ctx context.Context, who identity.Caller, open []doubt) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(askAtOnce)
	for _, q := range open {
		g.Go(func() error {
			said := m.asked.question()
			said.until = m.now().Add(answerAge)
			var err error
			if said.yes, err = m.verify(ctx, who, q.page, q.below); err != nil {
				said.yes, said.until = false, m.now().Add(failureAge)
			}
			m.asked.put(who, q.class, said)
			return nil
		})
	}
	_ = g.Wait() // none fails
}

// Bounds of what is remembered.
const (
	mostAskers  = 1000
	mostAnswers = 10_000 // of one caller
)

// answered is what Confluence said about a class, at which turn it was asked, which
// question it was, and until when that counts.
type answered struct {
	yes   bool
	turn  uint64
	nth   uint64
	until time.Time
}

// asked remembers the answers of Confluence, by caller and class. The zero value
// is ready.
type asked struct {
	mu    sync.Mutex
	by    map[string]*asker
	turn  uint64            // counts what was published
	nth   uint64            // counts questions
	spoke map[uint32]uint64 // the turn at which the mirror last told something new of a space
}

// asker is one caller: what he was answered by class, and what of it counts, which
// views share and nobody changes.
type asker struct {
	said   map[uint32]answered
	counts map[uint32]bool
	epoch  uint64    // of the snapshot that counts is for
	until  time.Time // when the first answer of counts ends
}

// of gives what is known about a caller. A yes of before the mirror published
// words, places or rights of the space is no yes: those may have been written behind a
// restriction set since, and whoever restricts a folder and syncs is not to wait
// for the end of an answer.
func (a *asked) of(who identity.Caller, s *guard.Snapshot, now time.Time) map[uint32]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.by[who.Principal()]
	if one == nil {
		return nil
	}
	if one.counts != nil && one.epoch == s.Epoch() && now.Before(one.until) {
		return one.counts
	}
	one.counts, one.epoch, one.until = make(map[uint32]bool, len(one.said)), s.Epoch(), now.Add(answerAge)
	for class, said := range one.said {
		if now.Before(said.until) && (!said.yes || said.turn >= a.spoke[s.SpaceOf(class)]) {
			one.counts[class] = said.yes
			if said.until.Before(one.until) {
				one.until = said.until
			}
		}
	}
	return one.counts
}

// question is one that is about to be put, as yet without an answer.
func (a *asked) question() answered {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nth++
	return answered{turn: a.turn, nth: a.nth}
}

// news ends every yes about a space, those on their way too. It comes before what
// is new is published.
func (a *asked) news(space uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spoke == nil {
		a.spoke = map[uint32]uint64{}
	}
	a.turn++
	a.spoke[space] = a.turn
}

// put remembers an answer. A yes to a question put before one that was answered
// with no is none: it may be of before a restriction, and only have come late.
func (a *asked) put(who identity.Caller, class uint32, said answered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := who.Principal()
	if a.by == nil || a.by[name] == nil && len(a.by) >= mostAskers {
		a.by = map[string]*asker{}
	}
	if a.by[name] == nil || len(a.by[name].said) >= mostAnswers {
		a.by[name] = &asker{said: map[uint32]answered{}}
	}
	if old := a.by[name].said[class]; said.yes && !old.yes && old.nth > said.nth {
		return
	}
	a.by[name].said[class], a.by[name].counts = said, nil
}
