package emulator

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"confluence-mcp/internal/emulator/oauth"
	"confluence-mcp/internal/emulator/site"
)

// host is one site with what the shell knows about it.
type host struct {
	site  *site.Site
	index int
	limit rateLimit

	url   atomic.Value // string: the origin of its listener, once it has one
	gone  atomic.Int64 // status of operations that left the document; 0: they work
	mu    sync.Mutex
	token []tokenLine
}

// main tells whether the gateway and the OAuth endpoints are on this listener.
func (h *host) main() bool { return h.index == 0 }

// origin is the site's address without /wiki. Without a listener of its own it
// is where the request came from.
func (h *host) origin(r *http.Request) string {
	if url, ok := h.url.Load().(string); ok {
		return url
	}
	return "http://" + r.Host
}

func (h *host) base(r *http.Request) string { return h.origin(r) + "/wiki" }

func (h *host) addToken(line tokenLine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = append(h.token, line)
}

// scopedToken finds a scoped token that belongs to the login.
func (h *host) scopedToken(login, token string) (tokenLine, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.token {
		if subtle.ConstantTimeCompare([]byte(line.Token), []byte(token)) != 1 {
			continue
		}
		u, active := h.site.User(line.User)
		return line, active && strings.EqualFold(u.Email, login)
	}
	return tokenLine{}, false
}

// legacy announces the deprecation of an operation; false when it is switched
// off and has been answered.
func (h *host) legacy(w http.ResponseWriter) bool {
	if status := int(h.gone.Load()); status != 0 {
		htmlPage(w, status, http.StatusText(status), "This resource has been removed.")
		return false
	}
	w.Header().Set("Deprecation", "Wed, 1 Mar 2023 00:00:00 GMT")
	w.Header().Set("Warning", `299 - "Deprecated API, will be removed on Mon, 31 Mar 2025 00:00:00 GMT"`)
	return true
}

// directory is what the authorization server knows of the sites.
type directory struct{ hosts []*host }

func (d directory) Resources() []oauth.Resource {
	var out []oauth.Resource
	for _, h := range d.hosts {
		url, _ := h.url.Load().(string) // empty without a listener: the list then has no addresses
		out = append(out, oauth.Resource{CloudID: h.site.CloudID(), Name: h.site.Name(), URL: url})
	}
	return out
}

func (d directory) Person(id string) (oauth.Person, bool) {
	for _, h := range d.hosts {
		if u, ok := h.site.User(id); ok {
			return oauth.Person{ID: u.ID, Name: u.Name, Email: u.Email}, true
		}
	}
	return oauth.Person{}, false
}

func (d directory) Member(cloudID, id string) bool {
	for _, h := range d.hosts {
		if h.site.CloudID() == cloudID {
			_, ok := h.site.User(id)
			return ok
		}
	}
	return false
}
