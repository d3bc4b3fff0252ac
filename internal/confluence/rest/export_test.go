package rest

import "strings"

// Unguarded takes the guard from under a client, so that a test sees what the
// client asks for by itself.
func Unguarded(c *Client) *Client {
	c.w.guarded = newTransport(c.w.cfg, siteRule(c.w.base), c.w.cfg.Proxy)
	c.w.connect()
	return c
}

// AskMediaHost sends a request as a download does that was redirected there.
func AskMediaHost(c *Client, address string) error {
	res, err := c.w.media.Get(address)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Operation is a line of the allowlist.
type Operation struct {
	Method, Template, Scope string
	Body                    bool // it takes one
}

// Operations is the allowlist.
func Operations() []Operation {
	var out []Operation
	for line := range strings.Lines(allowlist) {
		if fields := strings.Fields(line); len(fields) > 1 {
			r := parseRoute(line, nil)
			out = append(out, Operation{r.method, fields[1], r.scope, r.shape != ""})
		}
	}
	return out
}
