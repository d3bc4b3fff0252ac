package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/emulator/emulatortest"
)

// TestK07_NoProfilingEndpoint: whoever can reach the port cannot look into the
// process, with or without a key.
func TestK07_NoProfilingEndpoint(t *testing.T) {
	site := emulatortest.Start(t)
	p := serveProduct(t, site.URL, "bot-token")
	settled := len(site.Requests(0))
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/debug/requests", "/debug", "/pprof", "/vars", "/dump", "/heapdump", "/trace", "/env", "/config", "/config.yaml", "/c.yaml", "/data/precious.db", "/.env", "/actuator/env", "/mcp/debug/pprof"} {
		for _, key := range []string{"", bobKey, opsKey} {
			got := p.send(http.MethodGet, path, key, "", nil)
			assert.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, got.status, path)
			assert.Less(t, len(got.body), 200, path)
		}
	}
	assert.Len(t, site.Requests(0), settled)
	for _, key := range []string{"", bobKey} {
		assert.NotEqual(t, http.StatusOK, p.send(http.MethodGet, "/metrics", key, "", nil).status, "metrics are for admins")
	}
	got := p.send(http.MethodGet, "/metrics", opsKey, "", nil)
	assert.Equal(t, http.StatusOK, got.status)
	assert.False(t, strings.Contains(got.body, "cmdline"), got.body)
}
