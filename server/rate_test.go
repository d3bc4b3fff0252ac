package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// TestA13_AgentsHaveTheirOwnRate: what an agent is given bounds all it asks,
// whoever it asks for, and takes nothing from others.
func TestA13_AgentsHaveTheirOwnRate(t *testing.T) {
	now := time.Now()
	r := serve(t, func(c *server.Config) {
		c.Rate, c.Burst = 10, 20
		c.Now = func() time.Time { return now }
	})
	slow := func(name string, change func(*server.Agent)) string {
		a := server.Agent{Name: name, Authority: "key", Owner: name, Profile: "read-only", Rate: 2}
		change(&a)
		r.keys.keys["cmk_"+name] = a
		return "cmk_" + name
	}
	served := func(key, user string, times int) (n int, last answer) {
		for range times {
			a := call(key, "confluence_echo", `{}`)
			if user != "" {
				a.header["X-Access-User"] = user
			}
			if last = r.do(a); last.status == http.StatusOK {
				n++
			}
		}
		return n, last
	}
	n, last := served(slow("slow", func(*server.Agent) {}), "", 10)
	assert.Equal(t, 4, n, "twice the rate at once")
	assert.Equal(t, http.StatusTooManyRequests, last.status)
	assert.Equal(t, "limit.rate", last.kind(t))
	assert.Equal(t, "1", last.header.Get("Retry-After"))

	many := slow("many-users", func(a *server.Agent) { a.ActForUsers, a.Rate, a.Burst = true, 0.1, 3 })
	one, _ := served(many, "u-ann", 2)
	two, last := served(many, "u-bob", 5)
	assert.Equal(t, 3, one+two, "its users share it")
	assert.Equal(t, "10", last.header.Get("Retry-After"))

	n, _ = served(slow("wide", func(a *server.Agent) { a.ActForUsers, a.Rate, a.Burst = true, 1000, 1000 }), "u-ann", 30)
	assert.Equal(t, 20, n, "one user has no more than the server gives one")

	n, _ = served(annKey, "", 15)
	assert.Equal(t, 15, n, "nobody else is affected")
	now = now.Add(time.Second)
	n, _ = served("cmk_slow", "", 10)
	assert.Equal(t, 2, n, "it fills up again")

	t.Run("people who share an agent do not share a payer", func(t *testing.T) {
		for _, subject := range []string{"s-1", "s-2"} {
			key := slow("staff-"+subject, func(a *server.Agent) { a.Name, a.Subject, a.Rate = "staff", subject, 0 })
			n, _ := served(key, "", 25)
			assert.Equal(t, 20, n)
		}
	})
}

// TestA13_InventedUsersCostNobodyTime: ten thousand payers fill the book, and
// taking from it stays quick.
func TestA13_InventedUsersCostNobodyTime(t *testing.T) {
	r := serve(t, func(c *server.Config) { c.Rate, c.Burst = 1e6, 1e6 })
	headers := func(i int) *http.Request {
		a := call(manyKey, "confluence_echo", `{}`)
		req := httptest.NewRequest(http.MethodPost, r.url+"/mcp", strings.NewReader(a.body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Authorization", "Bearer "+manyKey)
		req.Header.Set("X-Access-User", fmt.Sprint("u-", i))
		for name, value := range a.header {
			req.Header.Set(name, value)
		}
		return req
	}
	h := r.server.Handler()
	const users = 12_000
	began := time.Now()
	var half time.Duration
	for i := range users {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, headers(i))
		if w.Code != http.StatusOK {
			t.Fatal(w.Body.String())
		}
		if i == 10_000 {
			half = time.Since(began)
		}
	}
	full := (time.Since(began) - half) / (users - 10_000)
	assert.Less(t, full, 5*half/10_000+time.Millisecond, "a full book is not slow")
}
