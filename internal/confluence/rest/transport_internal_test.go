package rest

// Inside the package because the rules about resolved addresses cannot be
// reached from outside without owning DNS names.

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

func TestD05_AddressIsJudgedWhenItIsDialled(t *testing.T) {
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	cloud, err := parseAddress("https://acme.atlassian.net")
	require.NoError(t, err)
	for name, rule := range map[string]addressRule{"site": siteRule(cloud), "media": mediaRule(cloud)} {
		t.Run(name, func(t *testing.T) {
			rebinding(t)
			first, err := net.DefaultResolver.LookupNetIP(t.Context(), "ip4", "rebinding.example")
			require.NoError(t, err)
			require.Len(t, first, 1)
			assert.True(t, rule(first[0]), "whoever looked at it before was content")
			for _, host := range []string{"rebinding.example", "127.0.0.1"} {
				client := newHTTPClient(newTransport(Config{}.withDefaults(), rule, nil))
				_, err = client.Get("http://" + host + ":" + port) //nolint:bodyclose,noctx // there is no answer
				require.ErrorIs(t, err, errBlockedAddress, host)
			}
		})
	}
	assert.Zero(t, hits.Load())
}

// rebinding makes every name lead to a public address when it is first asked
// for, and to this machine from then on.
func rebinding(t *testing.T) {
	was, asked := net.DefaultResolver, &atomic.Int64{}
	t.Cleanup(func() { net.DefaultResolver = was })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { assert.NoError(t, answerName(theirs, asked)) }()
		return ours, nil
	}}
}

// answerName answers one question about a name, in the form it has on a stream.
func answerName(conn net.Conn, asked *atomic.Int64) error {
	defer func() { _ = conn.Close() }() // whoever asked has the answer
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	raw := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, raw); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(raw); err != nil {
		return err
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		to := [4]byte{104, 192, 142, 10}
		if asked.Add(1) > 1 {
			to = [4]byte{127, 0, 0, 1}
		}
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: to}}}
	}
	out, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
	return err
}

func TestAddressRules(t *testing.T) {
	const cloud, named, loop = "https://acme.atlassian.net", "https://169.254.7.7", "http://127.0.0.1:80"
	for _, c := range []struct {
		base, ip    string
		site, media bool
	}{
		{cloud, "104.192.142.10", true, true},
		{cloud, "2401:1d80::1", true, true},
		{cloud, "10.1.2.3", true, false}, // a private network may hold the site, never a media host
		{cloud, "192.168.1.1", true, false},
		{cloud, "100.64.0.1", true, false},
		{cloud, "fd12::1", true, false},
		{cloud, "64:ff9b::a9fe:a9fe", true, false},
		{cloud, "127.0.0.1", false, false},
		{cloud, "::1", false, false},
		{cloud, "169.254.169.254", false, false},
		{cloud, "::ffff:169.254.169.254", false, false},
		{cloud, "fd00:ec2::254", false, false},
		{cloud, "fe80::1", false, false},
		{cloud, "0.0.0.0", false, false},
		{cloud, "224.0.0.1", false, false},
		{named, "169.254.7.7", true, false},
		{named, "169.254.169.254", false, false},
		{loop, "127.0.0.1", true, true},
		{loop, "::1", true, true},
		{loop, "10.1.2.3", false, false},
		{loop, "169.254.169.254", false, false},
		{loop, "104.192.142.10", false, false},
	} {
		base, err := parseAddress(c.base)
		require.NoError(t, err)
		ip := netip.MustParseAddr(c.ip)
		assert.Equal(t, c.site, siteRule(base)(ip), "site %s dials %s", c.base, c.ip)
		assert.Equal(t, c.media, mediaRule(base)(ip), "media of %s dials %s", c.base, c.ip)
	}
}

func TestMediaHosts(t *testing.T) {
	for _, c := range []struct {
		base, target string
		want         bool
	}{
		{"https://acme.atlassian.net", "https://api.media.atlassian.com/file/1?token=x", true},
		{"https://acme.atlassian.net", "https://API.MEDIA.ATLASSIAN.COM:443/file", true},
		{"https://acme.atlassian.net", "https://media-cdn.atlassian.com/file", true},
		{"https://acme.atlassian.net", "http://api.media.atlassian.com/file", false},
		{"https://acme.atlassian.net", "https://api.media.atlassian.com:8443/file", false},
		{"https://acme.atlassian.net", "https://api.atlassian.com/ex/confluence/x/wiki/rest/api/user/current", false},
		{"https://acme.atlassian.net", "https://acme.atlassian.net/wiki/x", false},
		{"https://acme.atlassian.net", "https://sub.acme.atlassian.net/x", false},
		{"https://acme.atlassian.net", "https://api.media.atlassian.com.evil.example/", false},
		{"https://acme.atlassian.net", "https://evilmedia.atlassian.com/", false},
		{"https://acme.atlassian.net", "https://u@api.media.atlassian.com/", false},
		{"https://acme.atlassian.net", "http://127.0.0.1:9/", false},
		{"http://127.0.0.1:8080", "http://127.0.0.1:9/", true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/", false},
		{"http://127.0.0.1:8080", "https://api.media.atlassian.com/", false},
	} {
		base, err := parseAddress(c.base)
		require.NoError(t, err)
		u, err := url.Parse(c.target)
		require.NoError(t, err)
		assert.Equal(t, c.want, (&wire{base: base}).mediaHost(u), "%s to %s", c.base, c.target)
	}
}

func TestCredentialsStayOnTheirHost(t *testing.T) {
	base, err := parseAddress("https://acme.atlassian.net")
	require.NoError(t, err)
	c := newCredential(http.NewFileTransport(http.Dir(".")), base, Config{Auth: Bearer})
	for _, target := range []string{"https://sub.acme.atlassian.net/", "https://acme.atlassian.net:9999/", "http://acme.atlassian.net/", "https://evil.example/"} {
		req, err := http.NewRequest(http.MethodGet, target, nil) //nolint:noctx // never sent
		require.NoError(t, err)
		_, err = c.RoundTrip(req) //nolint:bodyclose // there is no answer
		assert.ErrorContains(t, err, "another host", target)
	}
}
