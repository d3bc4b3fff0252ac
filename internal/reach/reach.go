// Package reach says where a connection may go whose host somebody else named:
// an identity provider, a webhook. A company's own services may stand in a
// private network; loopback, link-local addresses (the metadata services of
// clouds) and the like are not reached by a name that leads there.
//
// Start reading with [CheckURL] and [DialContext].
package reach

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Loopback reports whether a host is this very machine by what it is called.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// CheckURL judges an address something is sent to: https, or http to loopback;
// no user name or password and no fragment; no address that [DialContext] would
// not reach. The error does not repeat it, because it may hold a secret.
func CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || len(raw) > 2000 || strings.ContainsAny(raw, " \\\r\n\t") {
		return nil, errors.New("the url is not valid")
	}
	loopback := Loopback(u.Hostname())
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.User != nil:
		return nil, errors.New("the url must not hold a user name or password")
	case u.Fragment != "" || u.RawFragment != "":
		return nil, errors.New("the url must not have a fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback):
		return nil, errors.New("the url must be https")
	case err == nil && !mayDial(ip.Unmap(), loopback):
		return nil, errors.New("the url names an address this server does not reach")
	}
	return u, nil
}

// DialContext dials for an http.Transport without a proxy: loopback alone where
// that is what was named, else anything but loopback and its like. It looks at
// the resolved address when it connects, so a name that changes its answer gains
// nothing.
func DialContext(timeout time.Duration, loopback bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: timeout, ControlContext: func(_ context.Context, _, addr string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(addr)
		if err != nil || !mayDial(to.Addr().Unmap(), loopback) {
			return errors.New("its address is not one this server may reach")
		}
		return nil
	}}
	return d.DialContext
}

func mayDial(ip netip.Addr, loopback bool) bool {
	if loopback {
		return ip.IsLoopback()
	}
	ip = behind(ip.WithZone(""))
	return !(ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || slices.Contains(metadata(), ip.String()))
}

// behind is the IPv4 address a gateway takes an IPv6 address for (RFC 6052,
// 3056, 4291), else the address itself.
func behind(ip netip.Addr) netip.Addr {
	if !ip.Is6() {
		return ip
	}
	b := ip.As16()
	for prefix, at := range map[string]int{"64:ff9b::/96": 12, "64:ff9b:1::/48": 12, "2002::/16": 2, "::/96": 12} {
		if netip.MustParsePrefix(prefix).Contains(ip) && ip != netip.IPv6Loopback() && ip != netip.IPv6Unspecified() {
			return netip.AddrFrom4([4]byte(b[at : at+4]))
		}
	}
	return ip
}

// metadata are the metadata addresses of clouds outside the link-local range:
// of AWS over IPv6, Alibaba, Oracle and Azure.
func metadata() []string {
	return []string{"fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"}
}
