package rest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

func withBase(base string) rest.Config {
	return rest.Config{BaseURL: base, Auth: rest.Bearer, Token: seal.NewSecret("t")}
}

func TestD02_BaseURLThatIsNotSafeIsRefused(t *testing.T) {
	for _, base := range []string{
		"", "acme", "file:///etc/passwd", "gopher://x/", "ftp://acme.atlassian.net", "javascript:alert(1)",
		"http://acme.atlassian.net/wiki", "http://10.0.0.1/wiki", "http://169.254.169.254/", "http://2130706433/", "http://0x7f000001/",
		"https://user@acme.atlassian.net/wiki", "https://user:pw@acme.atlassian.net/wiki", "https://acme.atlassian.net/wiki#x", "https://acme.atlassian.net/wiki?x=1",
		"https://acme.atlassian.net/wiki?", `http://localhost\@evil.com/`, "https://acme.atlassian.net/wiki/../admin", "https://acme.atlassian.net/%2e%2e/",
		"https://acme.atlassian.net/other", "https://api.atlassian.com/ex/confluence/a/b", "https://acme.atlassian.net/wiki\r\nX: y", "https:acme.atlassian.net",
		"https://acme.atlassian.net//wiki",
	} {
		t.Run(base, func(t *testing.T) {
			_, err := rest.New(withBase(base))
			code(t, err, confluence.Invalid, "input.invalid")
		})
	}
}

func TestD09_LookalikeHostIsRefused(t *testing.T) {
	for _, base := range []string{
		"https://x.atlassian.net.attacker.com", "https://atlassian.net@evil.example", "https://acme-atlassian.net", "https://atlassian.net.evil.example/wiki",
		"https://api.atlassian.com.evil.example/ex/confluence/a", "https://ATLASSIAN.NET.evil.example",
	} {
		t.Run(base, func(t *testing.T) {
			_, err := rest.New(withBase(base))
			code(t, err, confluence.Invalid, "input.invalid")
		})
	}
}

func TestBaseURLFormsThatAreAccepted(t *testing.T) {
	for base, shown := range map[string]string{
		"https://acme.atlassian.net":        "https://acme.atlassian.net/wiki",
		"https://acme.atlassian.net/":       "https://acme.atlassian.net/wiki",
		"https://acme.atlassian.net/wiki":   "https://acme.atlassian.net/wiki",
		"https://acme.atlassian.net/wiki/":  "https://acme.atlassian.net/wiki",
		" https://ACME.atlassian.net/wiki ": "https://acme.atlassian.net/wiki",
		"https://wiki.acme.example":         "https://wiki.acme.example/wiki",
		"http://127.0.0.1:8080/wiki":        "http://127.0.0.1:8080/wiki",
		"http://localhost:8080":             "http://localhost:8080/wiki",
		"http://[::1]:8080":                 "http://[::1]:8080/wiki",
		"https://api.atlassian.com/ex/confluence/11111111-1111-4111-8111-111111111111":      "",
		"https://api.atlassian.com/ex/confluence/11111111-1111-4111-8111-111111111111/wiki": "",
	} {
		t.Run(base, func(t *testing.T) {
			c, err := rest.New(withBase(base))
			require.NoError(t, err)
			assert.Equal(t, shown, c.Describe().BaseURL)
			assert.Equal(t, confluence.Cloud, c.Describe().Kind)
			if shown == "" {
				assert.Equal(t, "11111111-1111-4111-8111-111111111111", c.Describe().ID)
			}
		})
	}
}

func TestCredentialsThatCannotWorkAreRefused(t *testing.T) {
	base := "https://acme.atlassian.net"
	for name, cfg := range map[string]rest.Config{
		"no kind":          {BaseURL: base, Token: seal.NewSecret("t")},
		"basic, no user":   {BaseURL: base, Auth: rest.Basic, Token: seal.NewSecret("t")},
		"basic, no token":  {BaseURL: base, Auth: rest.Basic, Username: "u"},
		"bearer, no token": {BaseURL: base, Auth: rest.Bearer},
		"line break":       {BaseURL: base, Auth: rest.Bearer, Token: seal.NewSecret("t\r\nX-Evil: 1")},
		"site is no site":  {BaseURL: base, SiteURL: "https://u@evil.example", Auth: rest.Bearer, Token: seal.NewSecret("t")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rest.New(cfg)
			code(t, err, confluence.Invalid, "input.invalid")
		})
	}
}
