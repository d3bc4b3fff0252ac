package retrieve

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// Ages of memberships.
const (
	membershipAge = 15 * time.Minute // how old a caller's may be
	askAgain      = time.Minute      // after asking in vain
	patience      = 10 * time.Second // of one caller for reading his again
	manyMembers   = 10_000           // remembered questions
)

// Resolve settles who a caller is: the integration by its name, the user by his
// id, whatever named them (a user by id, username or e-mail; an integration in
// front of an access attribute by name or id), with memberships that are at most
// 15 minutes old where they could be read.
//
// A user nobody knows, an integration that is not connected, and a user without
// an integration where there are several give a caller of kind Nobody, who sees
// public content and what his access attributes admit; it is never an error,
// which would tell that the user does not exist. An unknown caller stays
// unknown. What is resolved already stays as it is. Kind Denied for the
// connecting account, of which there are several when none is named.
func (e *Engine) Resolve(ctx context.Context, c identity.Caller) (identity.Caller, error) {
	if !c.Known() {
		return c, nil
	}
	c.Access = e.attributes(c.Access)
	at, found := e.Integration(c.Integration)
	if !found && c.Kind == identity.Service {
		return c, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: "resolve caller",
			Message: "The connecting account of no integration is meant, or of which one is not said.", Next: "Name one of the connected integrations."}
	}
	if !found {
		return nobody(c, ""), nil
	}
	switch c.Kind {
	case identity.Service:
		c.Integration = at.Name
		if at.Mode == guard.Synced && at.Account != "" {
			_, _, err := e.person(ctx, at.ID, at.Account)
			return c, err
		}
		return c, nil
	case identity.Nobody:
		return nobody(c, at.Name), nil
	}
	if at.Account != "" && c.AccountID == at.Account && at.Mode != guard.Synced {
		c.Integration = at.Name
		return c, nil
	}
	p, known, err := e.person(ctx, at.ID, c.AccountID)
	if err != nil || !known {
		return nobody(c, at.Name), err
	}
	c.Integration, c.AccountID = at.Name, p.ID
	return c, nil
}

// nobody is the caller without his user; access attributes stay.
func nobody(c identity.Caller, integration string) identity.Caller {
	c.Kind, c.Integration, c.AccountID, c.Email, c.Groups = identity.Nobody, integration, "", "", nil
	return c
}

// attributes gives access attributes with the ids of integrations where they
// have names.
func (e *Engine) attributes(access []string) []string {
	out := slices.Clone(access)
	for i, a := range out {
		where, rest, qualified := strings.Cut(a, ":")
		if !qualified || where == "" || strings.HasPrefix(a, "group-") || strings.HasPrefix(a, "user-") {
			continue
		}
		if at, found := e.Integration(where); found {
			out[i] = strconv.FormatInt(at.ID, 10) + ":" + rest
		}
	}
	return out
}

// person finds a user, having read his memberships again when they are old. One
// that could not be read again keeps the last good ones: they end by themselves
// (guard.Integration.HardMaxAge).
func (e *Engine) person(ctx context.Context, integration int64, who string) (mirror.Person, bool, error) {
	p, known, err := e.lookUp(ctx, integration, who)
	if err != nil || e.cfg.Refresh == nil || known && e.cfg.Now().Sub(p.CheckedAt) < membershipAge {
		return p, known, err
	}
	if known {
		who = p.ID
	}
	m := member{integration, who}
	if !e.members.due(m, e.cfg.Now(), known) {
		return p, known, nil
	}
	e.refresh(ctx, m)
	return e.lookUp(ctx, integration, who)
}

func (e *Engine) lookUp(ctx context.Context, integration int64, who string) (mirror.Person, bool, error) {
	p, err := e.cfg.Mirror.Writer().Person(ctx, integration, who)
	if confluence.KindOf(err) == confluence.NotFound {
		return mirror.Person{}, false, nil
	}
	return p, err == nil, err
}

// refresh reads memberships again. Callers who ask for the same user share the
// question, and each waits no longer than its own context.
func (e *Engine) refresh(ctx context.Context, m member) {
	done := e.members.asking.DoChan(strconv.FormatInt(m.integration, 10)+":"+m.who, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err := e.cfg.Refresh(ctx, m.integration, m.who)
		if err != nil && confluence.KindOf(err) != confluence.NotFound {
			e.cfg.Logger.WarnContext(ctx, "memberships not read again", "integration", m.integration, "err", err)
		}
		e.members.asked(m, e.cfg.Now())
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// member is a user as a question named him.
type member struct {
	integration int64
	who         string
}

// members remembers whom was asked about when, so that one who cannot be read
// again, or does not exist, is not asked about at every call.
type members struct {
	asking singleflight.Group

	mu   sync.Mutex
	read map[member]time.Time
}

// due reports whether to ask about a user now.
func (m *members) due(who member, now time.Time, known bool) bool {
	wait := membershipAge
	if known {
		wait = askAgain
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.read[who]
	return !ok || now.Sub(at) >= wait
}

func (m *members) asked(who member, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.read) >= manyMembers {
		clear(m.read)
	}
	m.read[who] = now
}
