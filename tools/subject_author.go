package tools

import (
	"context"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

// Bounds of what is remembered about authors.
const (
	maxAuthors = 10_000
	authorFor  = 10 * time.Minute
)

// authors remembers, by site and account, who is not one of the site's own
// licensed users.
type authors struct {
	mu sync.Mutex
	of map[[2]string]author
}

type author struct {
	outside bool
	since   time.Time
}

func (a *authors) get(site, id string, now time.Time) (outside, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok := a.of[[2]string{site, id}]
	return one.outside, ok && now.Sub(one.since) < authorFor
}

func (a *authors) put(site, id string, one author) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil || len(a.of) >= maxAuthors {
		a.of = map[[2]string]author{}
	}
	a.of[[2]string{site, id}] = one
}

// noteAuthors marks the caller when any of these accounts, who wrote what is
// being read, is not one of the site's own people: a guest, an app, a customer,
// nobody (""), or an account that cannot be looked up. What somebody wrote who
// has left since stays their company's.
func (k *call) noteAuthors(ctx context.Context, ids ...string) {
	var unknown []string
	for _, id := range ids {
		outside, known := k.catalog.authors.get(k.info.ID, id, k.started)
		switch {
		case id == "" || known && outside:
			k.catalog.taints.external(k.caller.Payer(), k.started)
			return
		case !known:
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return
	}
	found, err := k.site.UsersByID(ctx, unknown)
	for _, id := range unknown {
		u, there := found[id]
		outside := !there || !own(u)
		if err == nil {
			k.catalog.authors.put(k.info.ID, id, author{outside, k.started})
		}
		if outside {
			k.catalog.taints.external(k.caller.Payer(), k.started)
		}
	}
}

// own reports whether an account is one of the site's licensed users. Data
// Center has no other kind and names none.
func own(u confluence.User) bool { return !u.Guest && (u.Type == "" || u.Type == "atlassian") }
