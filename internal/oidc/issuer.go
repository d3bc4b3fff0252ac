package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"confluence-mcp/internal/reach"
)

// Limits of what an issuer is asked.
const (
	maxDocument  = 256 << 10 // bytes; real ones have a few thousand
	fetchTimeout = 10 * time.Second
	discovery    = "/.well-known/openid-configuration"
)

// issuer is one identity provider.
type issuer struct {
	url  string
	keys *keys
}

func newIssuer(name string, cfg Config) (*issuer, error) {
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, errors.New("it is not an absolute URL")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(name, "#"):
		return nil, errors.New("it has a user, a query or a fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && reach.Loopback(host)):
		return nil, errors.New("it is not https")
	case under(host, "atlassian.com") || under(host, "atlassian.net"):
		return nil, errors.New("it is Atlassian, whose tokens are for Confluence and not for this server")
	}
	from := &source{issuer: name, base: u, client: newClient(reach.Loopback(host), cfg.Roots)}
	return &issuer{url: name, keys: &keys{source: from, now: cfg.Now, logger: cfg.Logger}}, nil
}

func under(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }

// source fetches the documents of one issuer.
type source struct {
	issuer string
	base   *url.URL
	client *http.Client
	keyURL string // from the issuer's configuration; "" asks for it again
}

// fetch asks for the issuer's keys, and for where they are when that is not
// known. One goroutine at a time calls it.
func (s *source) fetch(ctx context.Context) ([]byte, error) {
	if s.keyURL == "" {
		if err := s.discover(ctx); err != nil {
			return nil, err
		}
	}
	body, err := s.get(ctx, s.keyURL)
	if err != nil {
		s.keyURL = "" // it may have moved
	}
	return body, err
}

// discover reads where the keys are. They must be on the issuer's own host: a
// document that names another one may have been tampered with.
func (s *source) discover(ctx context.Context) error {
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+discovery)
	if err != nil {
		return err
	}
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if json.Unmarshal(body, &doc) != nil || doc.Issuer != s.issuer {
		return errors.New("its configuration is of another issuer")
	}
	at, err := url.Parse(doc.Keys)
	if err != nil || at.Scheme != s.base.Scheme || !strings.EqualFold(at.Host, s.base.Host) || at.User != nil {
		return errors.New("its keys are not on its own host")
	}
	s.keyURL = doc.Keys
	return nil
}

func (s *source) get(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, errors.New("its address cannot be asked")
	}
	req.Header.Set("Accept", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("its answer ended early: %w", err)
	case len(body) > maxDocument:
		return nil, errors.New("its answer is too large")
	}
	return body, nil
}

// newClient follows no redirect, uses no proxy of the environment, and looks
// at the resolved address when it is dialled: a company's provider may stand
// in a private network, but loopback and link-local addresses (the metadata
// services of clouds) are reached only when the issuer names them.
func newClient(loopback bool, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			DialContext:            reach.DialContext(fetchTimeout, loopback),
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           1,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
