package rest_test

import (
	"net/http"
	"testing"

	"confluence-mcp/internal/confluence/rest"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := rest.New(withBase("https://acme.atlassian.net")); err != nil {
			b.Fatal(err)
		}
	}
}

// nothing answers every request with an empty success.
type nothing struct{}

func (nothing) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func BenchmarkGuard(b *testing.B) {
	guard := rest.Guard(nothing{})
	req := probe{method: "POST", url: "/wiki/rest/api/content/1/permission/check", body: "{}"}.request(b)
	req.Method, req.Body, req.URL.Path = "GET", nil, "/wiki/rest/api/content/1/restriction"
	req.Header.Del("Content-Type")
	for b.Loop() {
		if _, err := guard.RoundTrip(req); err != nil { //nolint:bodyclose // there is none
			b.Fatal(err)
		}
	}
}
