package ingest_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence/rest"
)

// proxy stands between a sync and the site: a test changes the site between two
// requests, or an answer on its way.
type proxy struct {
	url     string
	handler http.Handler
	mu      sync.Mutex
	n       int
	before  func(n int, r *http.Request)
	change  func(n int, r *http.Request, body []byte) []byte
}

func newProxy(t *testing.T) *proxy {
	p := &proxy{}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// through makes the sync of a box go through the proxy; url is the site's.
func (p *proxy) through(c *ingest.Config, rc *rest.Config) {
	site, err := url.Parse(rc.BaseURL)
	if err != nil {
		panic(err)
	}
	p.target(site)
	c.BaseURL, rc.BaseURL = p.url+"/wiki", p.url+"/wiki"
}

func (p *proxy) target(site *url.URL) {
	next := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // of requests that a test cancels
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: site.Scheme, Host: site.Host})
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(res *http.Response) error {
			p.mu.Lock()
			change, n := p.change, p.n
			p.mu.Unlock()
			raw, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			raw = []byte(strings.ReplaceAll(string(raw), site.Scheme+"://"+site.Host, p.url))
			if change != nil && res.StatusCode == http.StatusOK {
				raw = change(n, res.Request, raw)
			}
			res.Body = io.NopCloser(bytes.NewReader(raw))
			res.ContentLength = int64(len(raw))
			res.Header.Set("Content-Length", strconv.Itoa(len(raw)))
			return nil
		},
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = next
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.n++
	n, before, next := p.n, p.before, p.handler
	p.mu.Unlock()
	if before != nil {
		before(n, r)
	}
	next.ServeHTTP(w, r)
}

// script sets what happens from now on, and counts from 0 again.
func (p *proxy) script(before func(n int, r *http.Request), change func(n int, r *http.Request, body []byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.before, p.change = 0, before, change
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func proxied(t *testing.T) (*box, *proxy) {
	p := newProxy(t)
	b := newBox(t, nil, p.through)
	require.NotNil(t, b)
	return b, p
}
