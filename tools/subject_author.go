package tools

import (
	"context"
	"errors"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

// Bounds of what is remembered about authors.
const (
	maxAuthors = 10_000
	authorFor  = 10 * time.Minute
)

// authors remembers who is not one of a site's own licensed users, by the caller
// who found that out, site and account: who may not read the directory finds
// nobody, and that says nothing to others.
type authors struct {
	mu sync.Mutex
	of map[authorKey]author
}

type authorKey struct{ principal, site, account string }

type author struct {
	outside bool
	since   time.Time
}

func (a *authors) get(key authorKey, now time.Time) (outside, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok := a.of[key]
	return one.outside, ok && now.Sub(one.since) < authorFor
}

func (a *authors) put(key authorKey, one author) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil || len(a.of) >= maxAuthors {
		a.of = map[authorKey]author{}
	}
	a.of[key] = one
}

// noteAuthors marks the caller when any of these accounts, who wrote what is
// being read, is not one of the site's own people: a guest, an app, a customer,
// nobody (""), or an account that cannot be looked up. What somebody wrote who
// has left since stays their company's. Kind Unavailable when the mark cannot
// be kept.
func (k *call) noteAuthors(ctx context.Context, ids ...string) error {
	var unknown []string
	mine := func(id string) authorKey { return authorKey{k.caller.Principal(), k.info.ID, id} }
	for _, id := range ids {
		outside, known := k.catalog.authors.get(mine(id), k.started)
		switch {
		case id == "" || known && outside:
			return k.readOutsiders(ctx)
		case !known:
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	found, err := k.site.UsersByID(ctx, unknown)
	outside := false
	for _, id := range unknown {
		u, there := found[id]
		one := !there || !own(u)
		outside = outside || one
		if err == nil {
			k.catalog.authors.put(mine(id), author{one, k.started})
		}
	}
	if outside {
		return k.readOutsiders(ctx)
	}
	return nil
}

func (k *call) readOutsiders(ctx context.Context) error {
	return untainted(k.catalog.cfg.Taints.External(ctx, k.caller.Payer(), k.started))
}

// errUnmarked says that a mark would not outlive a restart.
var errUnmarked = errors.New("the mark is not kept")

// untainted is the refusal of a read whose mark could not be kept: who got it
// would be free of it after a restart.
func untainted(err error) error {
	if err == nil {
		return nil
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "taint.unavailable", Err: errors.Join(errUnmarked, err),
		Message: "That you read restricted content could not be written down, so it is not shown.", Next: "Tell the administrator; try again later."}
}

// own reports whether an account is one of the site's licensed users. Data
// Center has no other kind and names none.
func own(u confluence.User) bool { return !u.Guest && (u.Type == "" || u.Type == "atlassian") }
