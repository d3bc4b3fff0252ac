package mirrored

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// Config is what [Sites] need. All but Rights, Wrote and
// Logger must be set.
type Config struct {
	// Live is Confluence as a caller himself: kind Denied for one whom no
	// credential fits.
	Live tools.Sites
	// Shared is an integration, by its name, as its connecting account. It is only ever read
	// through the rights of the caller.
	Shared func(integration string) (tools.Site, error)
	// Rights is whom to ask what others may, where an integration's connecting
	// account writes for callers without a credential; nil where it writes for
	// nobody else. Optional: then it does nowhere.
	Rights   func(integration string) Rights
	Mirror   *mirror.Mirror
	Retrieve *retrieve.Engine
	// Complete reports whether all of an integration was read at least once
	// since it was connected; until then its spaces and searches are asked of
	// Confluence.
	Complete func(ctx context.Context, integration int64) bool
	// Wrote hears of every page that was written through here, so that a sync can
	// read it soon. It must not wait. Optional.
	Wrote  func(integration int64, pageID string)
	Now    func() time.Time
	Logger *slog.Logger // nil: nothing is logged
}

// Sites hands out Confluence, answered from the mirror, bound to one caller. It
// is safe for concurrent use.
type Sites struct {
	cfg     Config
	written *written
}

// New makes the sites. It connects to nothing.
func New(cfg Config) (*Sites, error) {
	if cfg.Live == nil || cfg.Shared == nil || cfg.Mirror == nil || cfg.Retrieve == nil || cfg.Complete == nil || cfg.Now == nil {
		return nil, errors.New("mirrored: every field of Config but Rights, Wrote and Logger must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Rights == nil {
		cfg.Rights = func(string) Rights { return nil }
	}
	if cfg.Wrote == nil {
		cfg.Wrote = func(int64, string) {}
	}
	return &Sites{cfg: cfg, written: newWritten()}, nil
}

// For implements tools.Sites. A caller whom a credential fits is himself in
// Confluence; anybody else reads through the connecting account what the mirror
// shows him, and a user nobody knows reads what is public: as an anonymous
// visitor, until the mirror knows what that is. A caller without a user who names
// no integration gets the first.
//
// Kind Denied for an unknown caller, for the connecting account where several
// are and none is named, and where nothing is connected; kind Unavailable
// with code "store.unread" for a caller without a credential while nothing was
// read.
func (s *Sites) For(ctx context.Context, c identity.Caller) (tools.Site, error) {
	if !c.Known() {
		return s.cfg.Live.For(ctx, c)
	}
	who, err := s.cfg.Retrieve.Resolve(ctx, c)
	if err != nil {
		return nil, err
	}
	at, named := s.cfg.Retrieve.Integration(c.Integration)
	if !named {
		if at, named = s.cfg.Retrieve.First(); !named || c.Kind == identity.Service {
			return s.cfg.Live.For(ctx, c)
		}
		c = who
	}
	who.Integration = at.Name
	below, usable, err := s.below(ctx, c, who, at)
	if err != nil {
		return nil, err
	}
	_, shared := below.(*guarded)
	w := &writing{Site: below, of: s, at: at.ID, who: who, named: c.AccountID, own: !shared}
	if !usable {
		return w, nil
	}
	return &site{writing: w, name: at.Name, known: map[string]mirror.Space{}}, nil
}

// below gives Confluence for a caller, as he himself where a credential fits.
// usable says that the mirror knows him; otherwise it would show too little to
// somebody who can ask Confluence.
func (s *Sites) below(ctx context.Context, c, who identity.Caller, at retrieve.Integration) (below tools.Site, usable bool, err error) {
	c.Integration = at.Name
	if who.Kind == identity.User {
		c.AccountID = who.AccountID
	}
	var refusal error
	if c.Kind != identity.Nobody {
		live, err := s.cfg.Live.For(ctx, c)
		if err == nil {
			return live, s.stands(ctx, c, who, at), nil
		}
		if confluence.KindOf(err) != confluence.Denied {
			refusal = err // whether he has one cannot be told now
		}
	}
	if who.Kind == identity.Nobody && len(who.Access) == 0 && at.Mode == guard.Synced && !s.cfg.Complete(ctx, at.ID) {
		live, err := s.cfg.Live.For(ctx, who) // as an anonymous visitor
		return live, false, err
	}
	if err := s.begun(ctx, at); err != nil {
		return nil, false, err
	}
	shared, err := s.cfg.Shared(at.Name)
	return &guarded{live: shared, of: s, at: at.ID, who: who, refusal: refusal, made: map[string]confluence.Page{}, open: &sync.Map{}}, true, err
}

// begun refuses to answer from an integration of which nothing was read yet: what
// is not found in it could be anything.
func (s *Sites) begun(ctx context.Context, at retrieve.Integration) error {
	if s.cfg.Complete(ctx, at.ID) {
		return nil
	}
	spaces, err := s.cfg.Mirror.Writer().Spaces(ctx, at.ID)
	if err != nil || len(spaces) > 0 {
		return err
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "store.unread", Op: "open site", Message: "Nothing of this site was read from Confluence yet, and there is no credential of yours to ask it with.",
		Next: "Try again in a few minutes; an admin sees how it goes with: confluence-mcp integrations show."}
}

// stands reports whether the mirror knows a caller who has a credential.
func (s *Sites) stands(ctx context.Context, c, who identity.Caller, at retrieve.Integration) bool {
	if who.Kind == identity.Service && at.Mode == guard.Synced {
		_, err := s.cfg.Mirror.Writer().Person(ctx, at.ID, at.Account)
		return err == nil
	}
	return c.Kind == who.Kind
}
