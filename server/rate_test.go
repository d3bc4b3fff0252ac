package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
)

// TestA13_WhatARequestNamesBuysNoRate: an agent that acts for users chooses
// users and attributes, and gets only so much with all of them.
func TestA13_WhatARequestNamesBuysNoRate(t *testing.T) {
	now := time.Now()
	r := serve(t, func(c *server.Config) {
		c.Rate, c.Burst = 1, 5
		c.Now = func() time.Time { return now }
	})
	served := func(times int, header func(i int) map[string]string) int {
		n := 0
		for i := range times {
			a := call(manyKey, "confluence_echo", `{}`)
			for name, value := range header(i) {
				a.header[name] = value
			}
			if r.do(a).status == http.StatusOK {
				n++
			}
		}
		return n
	}
	assert.Equal(t, 5, served(20, func(i int) map[string]string {
		return map[string]string{"X-Access-User": "u-ann", "X-Access-Attributes": fmt.Sprint("group-", i)}
	}), "each attribute is a new one")
	assert.Equal(t, 5, served(10, func(int) map[string]string {
		return map[string]string{"X-Access-User": "u-bob"}
	}), "others have their own")
	assert.Equal(t, 5*identity.CrowdShare-10, served(200, func(i int) map[string]string {
		return map[string]string{"X-Access-User": fmt.Sprint("u-", i)}
	}), "all users of an agent have a bound together")
	assert.Equal(t, http.StatusOK, r.do(call(annKey, "confluence_echo", `{}`)).status, "other agents are not affected")
}
