package connections

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/tools"
)

// Set is all integrations of a server. It is safe for concurrent use.
type Set struct {
	client rest.Config
	change sync.Mutex // held while something comes or goes
	mu     sync.RWMutex
	all    []*connection
	filler *Filler // nil until there is a mirror to fill
}

// New makes an empty set. client is what the clients of all integrations
// share: logger, clock, name, patience with rate limits.
func New(client rest.Config) *Set { return &Set{client: client} }

// Put connects an integration, or takes over what was changed about one: its
// clients are new, its sync starts anew, and rows of another site are gone when
// Put returns. It asks nothing of Confluence. Kind Invalid for a bad address,
// Expired with code "auth.not_connected" when there is no token.
func (s *Set) Put(ctx context.Context, spec Spec) error {
	s.change.Lock()
	defer s.change.Unlock()
	if old, err := s.byID(spec.ID); err == nil && old.spec.equal(spec) && (s.filler == nil || old.fill() != nil) {
		return nil
	}
	c, err := connect(spec, s.client)
	if err != nil {
		return err
	}
	s.mu.Lock()
	at := slices.IndexFunc(s.all, func(x *connection) bool { return x.spec.ID == spec.ID })
	var old *connection
	if at < 0 {
		s.all = append(s.all, c)
	} else {
		old, s.all[at] = s.all[at], c
	}
	s.mu.Unlock()
	old.end()
	return s.begin(context.WithoutCancel(ctx), c) // what is to be hidden is hidden, whoever waits for it
}

// Remove disconnects an integration: nobody reaches it any more and its sync
// has stopped when Remove returns. Its rows are gone too; with keep they stay,
// and nobody sees them.
func (s *Set) Remove(ctx context.Context, id int64, keep bool) error {
	s.change.Lock()
	defer s.change.Unlock()
	ctx = context.WithoutCancel(ctx)
	s.mu.Lock()
	at := slices.IndexFunc(s.all, func(x *connection) bool { return x.spec.ID == id })
	var old *connection
	if at >= 0 {
		old = s.all[at]
		s.all = slices.Delete(slices.Clone(s.all), at, at+1)
	}
	f := s.filler
	s.mu.Unlock()
	old.end()
	switch {
	case f == nil:
		return nil
	case keep:
		return f.Mirror.Writer().SetIntegration(ctx, guard.Integration{ID: id, Mode: guard.OwnerOnly})
	}
	return f.Mirror.Writer().DropIntegration(ctx, id)
}

// Close ends every sync and waits for it.
func (s *Set) Close() {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	all := s.all
	s.all = nil
	s.mu.Unlock()
	for _, c := range all {
		c.end()
	}
}

// Probe finds out whether an integration works now, and as whom, as [Probe].
func (s *Set) Probe(ctx context.Context, integration int64) (rest.Finding, error) {
	c, err := s.byID(integration)
	if err != nil {
		return rest.Finding{}, err
	}
	return probed(ctx, c)
}

// Names lists the integrations by name, in the order they were put.
func (s *Set) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]string, 0, len(s.all))
	for _, c := range s.all {
		out = append(out, c.spec.Name)
	}
	return out
}

// Len is how many integrations there are.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.all)
}

// For gives Confluence as exactly the caller. Kind Denied when no credential
// fits. It implements tools.Sites without a mirror.
func (s *Set) For(ctx context.Context, c identity.Caller) (tools.Site, error) {
	if !c.Known() {
		return nil, noCredential("there is no caller")
	}
	one, err := s.find(c.Integration)
	if err != nil {
		return nil, err
	}
	switch c.Kind {
	case identity.Service:
		return one.connected, nil
	case identity.Nobody:
		return one.anonymous, nil
	}
	return one.person(ctx, c.AccountID)
}

// Shared gives Confluence as the connecting account. What it answers is the
// account's to see, so whoever passes it on to another caller has to filter.
func (s *Set) Shared(integration string) (tools.Site, error) {
	one, err := s.find(integration)
	if err != nil {
		return nil, err
	}
	return one.connected, nil
}

// Lends gives the connecting account where it writes for callers without a
// credential of their own, nil where it does not.
func (s *Set) Lends(integration string) *rest.Client {
	one, err := s.find(integration)
	if err != nil || integration == "" || !one.spec.ServiceWrites {
		return nil
	}
	return one.connected
}

// Spaces are the keys of the spaces an integration is bounded to, where it is; one
// that is not connected is bounded to none.
func (s *Set) Spaces(integration string) (keys []string, bounded bool) {
	one, err := s.find(integration)
	if err != nil {
		return nil, true
	}
	return slices.Clone(one.spec.Spaces), len(one.spec.Spaces) > 0
}

// Synced reports whether an integration's access rights, and so its people, are
// synced.
func (s *Set) Synced(integration string) bool {
	one, err := s.find(integration)
	return err == nil && one.spec.Rights
}

// Check says whether an integration is meant by a name, an id, or by nothing
// at all where there is only one.
func (s *Set) Check(name string) error {
	_, err := s.find(name)
	return err
}

// ID gives the id of an integration by its name or id; empty means the only
// one.
func (s *Set) ID(name string) (int64, error) {
	one, err := s.find(name)
	if err != nil {
		return 0, err
	}
	return one.spec.ID, nil
}

// Account gives one name to the account an integration is connected as,
// whichever of its names is used; everybody else keeps theirs.
func (s *Set) Account(ctx context.Context, integration, who string) string {
	one, err := s.find(integration)
	if err != nil || who == "" {
		return who
	}
	me, err := one.me(ctx)
	if err == nil && (strings.EqualFold(who, me.Email) || strings.EqualFold(who, one.spec.Username)) {
		return me.ID
	}
	return who
}

// SplitAs takes [INTEGRATION:]USER apart. An account id may hold colons itself
// (557058:uuid), so only the name or id of a connected integration counts as
// one.
func (s *Set) SplitAs(as string) (integration, user string) {
	before, after, ok := strings.Cut(as, ":")
	if !ok || before == "" {
		return "", as
	}
	one, err := s.find(before)
	if err != nil {
		return "", as
	}
	return one.spec.Name, after
}

// find gives an integration by its name, else by its id; a name counts before
// an id.
func (s *Set) find(name string) (*connection, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if name == "" && len(s.all) == 1 {
		return s.all[0], nil
	}
	for _, c := range s.all {
		if c.spec.Name == name {
			return c, nil
		}
	}
	for _, c := range s.all {
		if strconv.FormatInt(c.spec.ID, 10) == name {
			return c, nil
		}
	}
	if name == "" {
		return nil, noCredential("several integrations are connected and the caller names none")
	}
	return nil, noCredential("the caller's integration is not connected here")
}

func (s *Set) byID(id int64) (*connection, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.all {
		if c.spec.ID == id {
			return c, nil
		}
	}
	return nil, &confluence.Error{Kind: confluence.NotFound, Op: "find integration", Ref: strconv.FormatInt(id, 10), Message: "there is no such integration", Next: "List them: confluence-mcp integrations list."}
}
