// Package taint remembers who read restricted content, or content that
// somebody outside wrote, and for how long that counts: for rules that keep
// such content from being written somewhere wider. A mark is on the payer and
// on the agent, which carries what it read from one user's call into another's.
//
// A mark is kept before what was read is given out, so that it is there after
// a crash too. Start reading with [Book.Restricted] and [Book.Of].
package taint

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

// DefaultWindow is how long a read counts where nothing else is said.
const DefaultWindow = 10 * time.Minute

// steps is in how many parts of the window marks are kept: times are rounded
// up to a part, so that who reads all the time is written down once a part. A
// mark lasts up to one part longer after a restart, and never shorter.
const steps = 60

// Mark says when somebody last read restricted content and content from
// outside; zero is never. Who is a payer or an agent.
type Mark struct {
	Who                  string
	Restricted, External time.Time
}

// Keeper keeps marks over a restart. Keep gives each the later time of what it
// has and what it gets, and forgets marks older than oldest. Since gives those
// that are not.
type Keeper interface {
	Keep(ctx context.Context, marks []Mark, oldest time.Time) error
	Since(ctx context.Context, oldest time.Time) ([]Mark, error)
}

// Book is the marks of a window. It may be used by many goroutines.
type Book struct {
	keeper Keeper // nil: marks are forgotten on restart
	window time.Duration

	mu   sync.Mutex
	of   map[string]Mark // by payer, and by agent
	kept map[string]Mark // what the keeper has of them
}

// Open fills a book from the keeper; a nil keeper keeps nothing. A window of
// zero is [DefaultWindow].
func Open(ctx context.Context, k Keeper, window time.Duration, now time.Time) (*Book, error) {
	b := &Book{keeper: k, window: cmp.Or(window, DefaultWindow), of: map[string]Mark{}, kept: map[string]Mark{}}
	if k == nil {
		return b, nil
	}
	marks, err := k.Since(ctx, now.Add(-b.window))
	if err != nil {
		return nil, fmt.Errorf("read who read restricted content: %w", err)
	}
	for _, m := range marks {
		b.of[m.Who], b.kept[m.Who] = m, m
	}
	return b, nil
}

// Restricted marks who read restricted content. The error says that the mark
// would not outlive a restart; what was read must not be given out then. In
// this process it counts all the same.
func (b *Book) Restricted(ctx context.Context, payer string, at time.Time) error {
	return b.mark(ctx, payer, Mark{Restricted: at}, at)
}

// External marks who read what somebody outside wrote, as [Book.Restricted]
// does.
func (b *Book) External(ctx context.Context, payer string, at time.Time) error {
	return b.mark(ctx, payer, Mark{External: at}, at)
}

func (b *Book) mark(ctx context.Context, payer string, m Mark, at time.Time) error {
	unkept := b.enter(payer, m, at)
	if b.keeper == nil || len(unkept) == 0 {
		return nil
	}
	if err := b.keeper.Keep(ctx, unkept, at.Add(-b.window)); err != nil {
		return fmt.Errorf("keep who read restricted content: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range unkept {
		b.kept[k.Who] = b.kept[k.Who].with(k)
	}
	return nil
}

// enter marks the payer and its agent, and gives what the keeper does not have
// of that. Whoever comes in between asks for the same again: nobody goes on
// before it is kept.
func (b *Book) enter(payer string, m Mark, at time.Time) []Mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	for who, old := range b.of {
		if at.Sub(later(old.Restricted, old.External)) > b.window {
			delete(b.of, who)
			delete(b.kept, who)
		}
	}
	var unkept []Mark
	for _, who := range []string{payer, identity.AgentOf(payer)} {
		m.Who = who
		b.of[who] = b.of[who].with(m)
		if k := b.kept[who]; k.Restricted.Before(m.Restricted) || k.External.Before(m.External) {
			unkept = append(unkept, Mark{who, b.roundUp(m.Restricted), b.roundUp(m.External)})
		}
	}
	return unkept
}

func (b *Book) roundUp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	part := max(b.window/steps, time.Microsecond)
	return t.Truncate(part).Add(part)
}

// with is the later of two marks of the same.
func (m Mark) with(o Mark) Mark {
	return Mark{o.Who, later(m.Restricted, o.Restricted), later(m.External, o.External)}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Of is what rules see of a payer's past. Content from outside counts as
// restricted too: neither may be spread unasked.
func (b *Book) Of(payer string, now time.Time) policy.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := func(t time.Time) bool { return !t.IsZero() && now.Sub(t) <= b.window }
	var c policy.Context
	for _, who := range []string{payer, identity.AgentOf(payer)} {
		m := b.of[who]
		c.ReadExternal = c.ReadExternal || counts(m.External)
		c.ReadRestricted = c.ReadRestricted || c.ReadExternal || counts(m.Restricted)
	}
	return c
}
