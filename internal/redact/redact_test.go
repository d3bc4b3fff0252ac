package redact_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/redact"
)

const canary = "CANARY0123456789abcdef"

func TestNothingSecretIsLogged(t *testing.T) {
	target := &url.URL{Scheme: "https", User: url.UserPassword("u", canary), Host: "x.test", Path: "/p", RawQuery: "access_token=" + canary}
	cases := map[string]func(*slog.Logger){
		"secret field name":       func(l *slog.Logger) { l.Info("m", "Authorization", canary) },
		"token inside a name":     func(l *slog.Logger) { l.Info("m", "refresh_token_old", canary) },
		"header style name":       func(l *slog.Logger) { l.Info("m", "X-Api-Key", canary) },
		"secret name, other kind": func(l *slog.Logger) { l.Info("m", "password", []string{canary}) },
		"bearer in the message":   func(l *slog.Logger) { l.Info("sent Bearer " + canary) },
		"basic in a value":        func(l *slog.Logger) { l.Info("m", "h", "basic "+canary) },
		"json web token":          func(l *slog.Logger) { l.Info("m", "v", "eyJ"+canary+"."+canary+"."+canary) },
		"Atlassian API token":     func(l *slog.Logger) { l.Info("m", "v", "ATATT3"+canary) },
		"Atlassian connect token": func(l *slog.Logger) { l.Info("m", "v", "ATCTT3"+canary) },
		"agent key":               func(l *slog.Logger) { l.Info("m", "v", "got cmk_helpdesk_"+canary) },
		"error text":              func(l *slog.Logger) { l.Error("m", "err", errors.New("Bearer "+canary)) },
		"url error keeps its query": func(l *slog.Logger) {
			l.Error("m", "err", &url.Error{Op: "Get", URL: "https://x.test/a?code=" + canary, Err: errors.New("eof")})
		},
		"url value":        func(l *slog.Logger) { l.Info("m", "u", target) },
		"bound attribute":  func(l *slog.Logger) { l.With("client_secret", canary).Info("m") },
		"inside a group":   func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Group("h", "token", canary))) },
		"in a named group": func(l *slog.Logger) { l.WithGroup("g").Info("m", "cookie", canary) },
		"any value":        func(l *slog.Logger) { l.Info("m", "v", struct{ A string }{"Bearer " + canary}) },
	}
	for name, log := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log(slog.New(redact.Handler(slog.NewJSONHandler(&out, nil))))
			assert.NotContains(t, out.String(), canary)
			assert.Contains(t, out.String(), redact.Mask[1:9], "something must stand where the secret stood")
		})
	}
}

func TestPlainFactsPass(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(redact.Handler(slog.NewJSONHandler(&out, nil)))
	l.Info("page 12 read", "tool", "confluence_get_page", "dur", time.Second, "n", 3, "err", errors.New("not found"))
	for _, want := range []string{"page 12 read", "confluence_get_page", "not found", `"n":3`} {
		assert.Contains(t, out.String(), want)
	}
	assert.NotContains(t, out.String(), redact.Mask)
}
