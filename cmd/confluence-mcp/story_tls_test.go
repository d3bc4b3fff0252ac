package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// untrusted serves TLS that must not be trusted and points CONFLUENCE_URL at
// it. KIND is unknown (of no authority anybody knows), expired, or host (for
// another host than the one in the address). A request that arrives over it,
// and with it a credential, fails the story.
func untrusted(ts *testscript.TestScript, _ bool, args []string) {
	now := time.Now()
	end := map[string]time.Time{"unknown": now.Add(time.Hour), "host": now.Add(time.Hour), "expired": now.Add(-time.Hour)}[args[0]]
	if end.IsZero() {
		ts.Fatalf("usage: untrusted unknown|expired|host")
	}
	t := of(ts).t
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s passed over TLS that is not to be trusted (%s)", r.Method, r.URL.Path, args[0])
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(ts, end)}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what the story wants
	s.StartTLS()
	ts.Defer(s.Close)
	address := s.URL
	if args[0] == "host" {
		address = strings.Replace(address, "127.0.0.1", "localhost", 1)
	}
	ts.Setenv("CONFLUENCE_URL", address+"/wiki")
}

// selfSigned is a certificate for 127.0.0.1 that ends at a time.
func selfSigned(ts *testscript.TestScript, end time.Time) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-48 * time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	ts.Check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
