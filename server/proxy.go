package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Proxy is a trusted proxy: one that has authenticated people itself and names
// them in a header. Only its own connections count, by the address they come
// from; what other headers say about addresses is never looked at.
type Proxy struct {
	// Header is the name of the header. A request that has it and does not
	// come straight from one of Peers is refused, as is one that brings other
	// credentials as well.
	Header string
	Peers  []netip.Prefix

	// Identify makes the agent of a name, which is one word of at most 256
	// bytes. It answers [ErrUnknownKey] for a name nobody may have.
	Identify func(ctx context.Context, name string) (Agent, error)
}

func (c Config) checkProxies() error {
	if len(c.Proxies) > 0 && c.NoAuth != nil {
		return errors.New("server: without authentication no proxy can be trusted")
	}
	for _, p := range c.Proxies {
		if err := p.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Check refuses proxies that would trust everybody, or a header that means
// something else; [New] asks it too.
func (p Proxy) Check() error {
	switch {
	case p.Identify == nil || len(p.Peers) == 0:
		return errors.New("server: a trusted proxy needs its addresses and whom its names stand for")
	case p.Header == "" || strings.ContainsFunc(p.Header, func(r rune) bool { return !inHeaderName(r) }):
		return errors.New("server: a trusted proxy needs the name of a header, of letters, digits and dashes")
	case isReserved(p.Header):
		return errors.New("server: the header " + p.Header + " means something else and cannot name people")
	}
	for _, peer := range p.Peers {
		if isTooWide(peer) {
			return errors.New("server: " + peer.String() + " is too wide for the addresses of a proxy")
		}
	}
	return nil
}

// inHeaderName is stricter than HTTP: letters, digits and dashes.
func inHeaderName(r rune) bool {
	return r == '-' || r >= '0' && r <= '9' || unicode.IsLetter(r) && r < utf8.RuneSelf
}

// isReserved tells headers that mean something else here, or to what is on the way.
func isReserved(header string) bool {
	return slices.ContainsFunc([]string{"mcp-", "x-access-", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "authorization", "cookie", "host", "origin", "content-", "accept", "connection", "sec-"},
		func(prefix string) bool { return strings.HasPrefix(strings.ToLower(header), prefix) })
}

// isTooWide wants at least 8 bits of an IPv4 address fixed, and 32 of an IPv6 one.
func isTooWide(peer netip.Prefix) bool {
	const widest = 8
	return !peer.IsValid() || peer.Bits() < widest || peer.Addr().Is6() && !peer.Addr().Is4In6() && peer.Bits() < 4*widest
}

// proxied says who a request is from by the header of a trusted proxy. Given
// reports whether it has such a header at all: then nothing else counts.
func (s *Server) proxied(r *http.Request) (a Agent, given bool, err error) {
	var from Proxy
	var names []string
	for _, p := range s.cfg.Proxies {
		if values := r.Header.Values(p.Header); len(values) > 0 {
			from, names = p, append(names, values...)
		}
	}
	if len(names) == 0 {
		return Agent{}, false, nil
	}
	_, bearer := bearerOf(r)
	if len(names) > 1 || bearer || !from.isPeer(r.RemoteAddr) || !isPeerName(names[0]) {
		return Agent{}, true, ErrUnknownKey
	}
	a, err = from.Identify(r.Context(), names[0])
	return a, true, err
}

func (p Proxy) isPeer(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(p.Peers, func(peer netip.Prefix) bool { return peer.Contains(ip) })
}

// isPeerName accepts one word; a list may be two values that something joined.
func isPeerName(name string) bool {
	return name != "" && len(name) <= maxAccessValue && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == ',' || r == ';' || unicode.IsControl(r) || unicode.IsSpace(r) })
}
