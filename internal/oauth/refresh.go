package oauth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"confluence-mcp/internal/confluence"
)

const (
	// renewTimeout is the longest a refresh may take, waiting for other
	// processes included. It does not end with the call that began it: an answer
	// nobody waits for is still stored.
	renewTimeout = 2 * time.Minute
	// refreshTries is how often the token endpoint is asked in one refresh. The
	// next call begins anew.
	refreshTries = 3
	// leeway is how long Atlassian takes a refresh token again after it was used.
	leeway = 10 * time.Minute
)

// renew gives the grant with newer tokens than seen has: those somebody else
// has stored meanwhile, or new ones. Callers in this process share one refresh.
func (g *Grants) renew(ctx context.Context, seen held) (held, error) {
	asked := g.flight.DoChan(strconv.FormatInt(seen.grant.ID, 10), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		return g.lockedRefresh(ctx, seen)
	})
	select {
	case <-ctx.Done():
		return held{}, ctx.Err()
	case r := <-asked:
		return r.Val.(held), r.Err
	}
}

func (g *Grants) lockedRefresh(ctx context.Context, seen held) (h held, err error) {
	unlock, err := g.cfg.Vault.LockGrant(ctx, seen.grant.ID)
	if err != nil {
		return held{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	h, err = g.read(ctx, seen.grant.ID)
	if err != nil || h.grant.Generation != seen.grant.Generation || h.grant.State == NeedsReconnect {
		return h, err // waiters that refresh again are the classic fault
	}
	return g.refresh(ctx, h)
}

// refresh asks for a new pair and stores it. The caller has the lock.
func (g *Grants) refresh(ctx context.Context, h held) (held, error) {
	lost := h.grant.Intent // of a refresh whose end nobody saw
	if lost.IsZero() {
		h.grant.Intent = g.cfg.Now()
		if moved, err := g.cfg.Vault.SaveGrant(ctx, h.grant, nil); err != nil || !moved {
			return g.orNewer(ctx, h, err)
		}
	}
	pair, err := g.askTwice(ctx, h.tokens.Refresh)
	if refusedGrant(err) {
		return g.refused(ctx, h, lost)
	}
	if err != nil {
		return held{}, err
	}
	return g.store(ctx, h, pair)
}

// askTwice asks the token endpoint, and again with the same refresh token when
// no answer came: Atlassian takes it again for ten minutes.
func (g *Grants) askTwice(ctx context.Context, refresh string) (pair, error) {
	for try, pause := 1, time.Second; ; try, pause = try+1, 2*pause {
		p, err := g.ask(ctx, tokenRequest{GrantType: "refresh_token", RefreshToken: refresh})
		if confluence.KindOf(err) != confluence.Unavailable || try == refreshTries {
			return p, err
		}
		if g.cfg.Sleep(ctx, pause) != nil {
			return p, err
		}
	}
}

// store keeps a new pair; only then is it given out. When somebody else was
// faster, theirs is.
func (g *Grants) store(ctx context.Context, h held, p pair) (held, error) {
	next := h.grant
	next.Refreshed, next.Expires, next.Intent = p.asked, p.asked.Add(p.life), time.Time{}
	t := h.tokens
	t.Access = p.access
	if p.refresh != "" { // some answers leave it out; then the sent one stays good
		t.Refresh = p.refresh
	}
	if p.scopes != nil {
		next.Scopes = p.scopes
	}
	moved, err := g.save(ctx, next, t, g.cfg.Vault.SaveGrant)
	if err != nil || !moved {
		return g.orNewer(ctx, h, err)
	}
	g.cfg.Logger.Info("tokens renewed", "integration", next.Integration, "role", next.Role, "generation", next.Generation+1)
	return g.read(ctx, next.ID)
}

// save seals tokens and stores them, with the newest key when the one at hand
// was rotated away meanwhile.
func (g *Grants) save(ctx context.Context, next Grant, t tokens, store func(context.Context, Grant, []byte) (bool, error)) (bool, error) {
	for again := false; ; again = true {
		sealed, err := g.sealed(next, t)
		if err != nil {
			return false, err
		}
		moved, err := store(ctx, next, sealed)
		if !keyIsGone(err) || again {
			return moved, err
		}
		if err := g.cfg.Ring.Reload(ctx); err != nil {
			return false, err
		}
	}
}

func keyIsGone(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Kind == confluence.Conflict && e.Code == "seal.key"
}

// orNewer gives what somebody else has stored since h was read, or the error.
func (g *Grants) orNewer(ctx context.Context, h held, err error) (held, error) {
	if err != nil {
		return held{}, fmt.Errorf("store tokens: %w", err)
	}
	return g.read(ctx, h.grant.ID)
}

// refused ends a refresh that Atlassian has clearly refused: with the tokens
// somebody else has stored meanwhile, or else in need of a reconnection.
func (g *Grants) refused(ctx context.Context, h held, lost time.Time) (held, error) {
	now, err := g.read(ctx, h.grant.ID)
	if err != nil || now.grant.Generation != h.grant.Generation {
		return now, err
	}
	reason := "Atlassian no longer accepts it; it was revoked, unused for 90 days, or the password was changed."
	now.grant.Revoked = lost.IsZero() || g.cfg.Now().Sub(lost) <= leeway
	if !now.grant.Revoked {
		reason = "An answer of Atlassian's was lost on " + lost.UTC().Format(time.RFC3339) + ", and it repeats one for ten minutes only."
	}
	now.grant.Reason = reason
	if err := g.fail(ctx, now.grant, reason); err != nil {
		return held{}, err
	}
	return held{}, mustReconnect(now.grant)
}
