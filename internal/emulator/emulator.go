package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"confluence-mcp/internal/emulator/oauth"
	"confluence-mcp/internal/emulator/site"
	v1 "confluence-mcp/internal/emulator/v1"
	"confluence-mcp/internal/emulator/wire"
)

// Config is what an emulator is made of.
type Config struct {
	// Sites are the site files, at least one; the first is the main site. Cloud
	// ids must differ.
	Sites []Source
	// Now is the clock before apply lines advance it.
	Now func() time.Time
	// Observe sees every exchange with a known operation before its answer is
	// sent, from many goroutines; nil costs nothing.
	Observe func(Exchange)
}

// Source is one site file: JSON lines, gzipped or not. Name is for errors.
type Source struct {
	Name  string
	Lines io.Reader
}

// Emulator is a fake Confluence Cloud. Safe for concurrent use.
type Emulator struct {
	hosts   []*host
	clock   *clock
	oauth   *oauth.Provider
	faults  faults
	journal journal
	mux     *http.ServeMux
	routes  map[string]wire.Route
	observe func(Exchange)
	files   http.Handler // of all sites, on the media host

	media   string // origin of the media listener
	servers []*http.Server
}

// New loads the sites. The emulator has no address until [Emulator.Listen].
func New(cfg Config) (*Emulator, error) { return build(cfg, operations()) }

func build(cfg Config, routes []wire.Route) (*Emulator, error) {
	if cfg.Now == nil {
		return nil, errors.New("emulator: Config.Now is missing")
	}
	if len(cfg.Sites) == 0 {
		return nil, errors.New("emulator: Config.Sites is empty")
	}
	e := &Emulator{clock: &clock{base: cfg.Now}, observe: cfg.Observe, mux: http.NewServeMux(), routes: map[string]wire.Route{}}
	for i, src := range cfg.Sites {
		s := site.New(site.Config{Now: e.clock.now})
		if err := s.Load(src.Lines); err != nil {
			return nil, fmt.Errorf("loading %s: %w", src.Name, err)
		}
		if other := e.byCloudID(s.CloudID()); other != nil {
			return nil, fmt.Errorf("loading %s: cloud id %s is taken by site %q", src.Name, s.CloudID(), other.site.Name())
		}
		e.hosts = append(e.hosts, &host{site: s, index: i})
	}
	e.files = v1.MediaHandler(e.siteOf)
	e.oauth = oauth.New(oauth.Config{Now: e.clock.now, Directory: directory{e.hosts}})
	for _, r := range routes {
		pattern := r.Method + " " + r.Pattern
		e.routes[pattern] = r
		e.mux.HandleFunc(pattern, handleRoute(r))
	}
	return e, nil
}

func (e *Emulator) byCloudID(id string) *host {
	for _, h := range e.hosts {
		if h.site.CloudID() == id {
			return h
		}
	}
	return nil
}

// Handler is the main listener as a handler, for use without Listen. Links to
// the site then carry the host of the request.
func (e *Emulator) Handler() http.Handler { return e.listen(e.hosts[0]) }

// Listen opens the listeners: the main one at addr (a loopback host, 127.0.0.1
// when left out, and a port, 0 for any), every other site and the media host at a free port of the
// same host. It returns once they accept connections; [Emulator.Close] ends
// them.
func (e *Emulator) Listen(addr string) error {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listening on %q: %w", addr, err)
	}
	if name == "" {
		name, addr = "127.0.0.1", net.JoinHostPort("127.0.0.1", port)
	}
	if ip := net.ParseIP(name); name != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("listening on %q: the emulator has no TLS and serves loopback only", addr)
	}
	var listeners []net.Listener
	for range len(e.hosts) + 1 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return errors.Join(fmt.Errorf("listening on %s: %w", addr, err), closeAll(listeners))
		}
		listeners = append(listeners, l)
		addr = net.JoinHostPort(name, "0")
	}
	for i, h := range e.hosts {
		h.url.Store("http://" + listeners[i].Addr().String())
		e.servers = append(e.servers, newServer(e.listen(h)))
	}
	e.media = "http://" + listeners[len(e.hosts)].Addr().String()
	e.servers = append(e.servers, newServer(http.HandlerFunc(e.serveMedia)))
	for i, srv := range e.servers { // last: what the handlers read is complete
		go func() { _ = srv.Serve(listeners[i]) }() // ends with ErrServerClosed, by Close only
	}
	return nil
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Close ends all listeners and waits for open requests until ctx is done.
func (e *Emulator) Close(ctx context.Context) error {
	var errs []error
	for _, srv := range e.servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, err, srv.Close())
		}
	}
	return errors.Join(errs...)
}

// Address says where one site is.
type Address struct {
	URL     string `json:"url"` // base URL with /wiki
	CloudID string `json:"cloud_id"`
	Name    string `json:"name"`
}

// Addresses lists the sites in the order of Config.Sites; URLs are empty
// before Listen.
func (e *Emulator) Addresses() []Address {
	var out []Address
	for _, h := range e.hosts {
		a := Address{CloudID: h.site.CloudID(), Name: h.site.Name()}
		if origin, ok := h.url.Load().(string); ok {
			a.URL = origin + "/wiki"
		}
		out = append(out, a)
	}
	return out
}

// Gateway is the origin of /ex/confluence, the OAuth endpoints and /me.
func (e *Emulator) Gateway() string {
	origin, _ := e.hosts[0].url.Load().(string) // empty before Listen, as documented
	return origin
}

// Media is the origin of the media host.
func (e *Emulator) Media() string { return e.media }

// Apply does on site number i what POST /__emulator/apply does: it takes JSON
// lines up to the first bad one.
func (e *Emulator) Apply(i int, lines string) error {
	_, err := e.apply(e.hosts[i], strings.NewReader(lines))
	return err
}

// Requests is the journal of all listeners after number since.
func (e *Emulator) Requests(since int) []Request { return e.requestsAt(e.hosts[0], since) }

func (e *Emulator) mediaBase(h *host) string { return e.media + "/" + h.site.CloudID() }

// serveMedia sends attachments. It answers 400 to any credentials: whoever
// brings them has followed a redirect to another host with them.
func (e *Emulator) serveMedia(w http.ResponseWriter, r *http.Request) {
	cloudID, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	in := &inbound{sent: r, via: viaMedia, target: e.byCloudID(cloudID)}
	in.api = behindPrefix(r, "/"+cloudID)
	e.exchange(w, in, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case in.target == nil:
			http.NotFound(w, r)
		case r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "":
			http.Error(w, "credentials were sent to the media host", http.StatusBadRequest)
		default:
			e.files.ServeHTTP(w, in.api)
		}
	})
}
