package rest

// Unguarded takes the guard from under a client, so that a test sees what the
// client asks for by itself.
func Unguarded(c *Client) *Client {
	c.w.guarded = newTransport(c.w.cfg, siteRule(c.w.base), c.w.cfg.Proxy)
	c.w.connect()
	return c
}
