package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"confluence-mcp/internal/confluence"
)

// errBlockedAddress is the cause of a refused dial.
var errBlockedAddress = errors.New("the address is not one this connection may reach")

// addressRule says which resolved addresses a connection may dial.
type addressRule func(netip.Addr) bool

// siteRule is the rule for the configured host. A company's own Confluence may
// stand in a private network; loopback, link-local (cloud metadata) and the
// like are reachable only when the base URL names that very address.
func siteRule(a address) addressRule {
	named, err := netip.ParseAddr(strings.Trim(a.hostname(), "[]"))
	exact := err == nil
	loopback := a.loopback()
	return func(ip netip.Addr) bool {
		ip = ip.Unmap()
		switch {
		case loopback:
			return ip.IsLoopback()
		case exact && ip == named.Unmap():
			return true
		}
		return !(ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == metadataIPv6)
	}
}

// metadataIPv6 is the one metadata address outside the link-local range.
var metadataIPv6 = netip.MustParseAddr("fd00:ec2::254")

// mediaRule is the rule for hosts that an answer named: public addresses, or
// loopback when the site itself is loopback.
func mediaRule(a address) addressRule {
	loopback := a.loopback()
	return func(ip netip.Addr) bool {
		ip = ip.Unmap()
		if loopback {
			return ip.IsLoopback()
		}
		return ip.IsGlobalUnicast() && !ip.IsPrivate() && !sharedSpace.Contains(ip) && !translated.Contains(ip)
	}
}

// Ranges that are global by form but lead into private networks.
var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
	translated  = netip.MustParsePrefix("64:ff9b::/96")
)

// newTransport is the only place an http.Transport is made. The rule is asked
// about the resolved address at connect time, so a name that changes its
// answer gains nothing; a proxy resolves names itself and is therefore used
// only for the configured host.
func newTransport(cfg Config, rule addressRule, proxy *url.URL) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if proxy == nil {
		dialer.ControlContext = func(_ context.Context, _, addr string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(addr)
			if err != nil || !rule(ap.Addr()) {
				return fmt.Errorf("dial %s: %w", addr, errBlockedAddress)
			}
			return nil
		}
	}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		MaxResponseHeaderBytes: 256 << 10,
		MaxIdleConns:           2 * cfg.Concurrency,
		MaxIdleConnsPerHost:    cfg.Concurrency,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// newHTTPClient is the only place an http.Client is made. It follows no
// redirect: the one that is expected is judged and followed by the download.
func newHTTPClient(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func redirectBlocked(message string) *confluence.Error {
	return &confluence.Error{
		Kind: confluence.Denied, Code: "net.redirect_blocked", Message: message,
		Next: "Check the base URL: it must be the final address of the site, not one that redirects.",
	}
}
