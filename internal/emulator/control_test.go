package emulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator"
)

func TestGlobs(t *testing.T) {
	cases := []struct {
		pattern, s string
		want       bool
	}{
		{"/wiki/api/v2/pages*", "/wiki/api/v2/pages", true},
		{"/wiki/api/v2/pages*", "/wiki/api/v2/pages/7/labels", true},
		{"/wiki/api/v2/pages", "/wiki/api/v2/pages/7", false},
		{"*/labels", "/wiki/api/v2/pages/7/labels", true},
		{"/a*b*c", "/a-b-b-c", true},
		{"/a*b*c", "/a-c-b", false},
		{"*", "", true},
		{"/a*a", "/a", false},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, emulator.Globbed(c.pattern, c.s), "%s on %s", c.pattern, c.s)
	}
}

func TestFaults(t *testing.T) {
	e := serve(t)
	ann := basic("ann@acme.test", "ann-token")
	page, search := e.Addresses()[0].URL+"/api/v2/pages/7", e.Addresses()[0].URL+"/rest/api/search"
	apply := func(t *testing.T, line string) {
		t.Helper()
		require.NoError(t, e.Apply(0, `{"kind":"fault","clear":true}`+line))
	}
	t.Run("status, headers and body for a number of times", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET /wiki/api/v2/pages*","action":{"status":429,"headers":{"Retry-After":"1"},"body":"slow down"},"times":2}`)
		for range 2 {
			got := ask(t, "GET", page, ann)
			assert.Equal(t, 429, got.status)
			assert.Equal(t, "1", got.header.Get("Retry-After"))
			assert.Equal(t, "slow down", got.body)
		}
		assert.Equal(t, 200, ask(t, "GET", page, ann).status)
	})
	t.Run("another path and another method are untouched", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"POST /wiki/api/v2/pages*","action":{"status":500}}`)
		assert.Equal(t, 200, ask(t, "GET", page, ann).status)
		assert.Equal(t, 200, ask(t, "GET", search, ann).status)
	})
	t.Run("from the n-th match on", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET *","action":{"status":503,"body":{"a":1}},"nth":3,"times":1}`)
		var got []int
		for range 4 {
			got = append(got, ask(t, "GET", page, ann).status)
		}
		assert.Equal(t, []int{200, 200, 503, 200}, got)
	})
	t.Run("headers on a real answer", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET *","action":{"headers":{"RateLimit":"\"global-app-quota\";r=1;t=60"}}}`)
		got := ask(t, "GET", page, ann)
		assert.Equal(t, 200, got.status)
		assert.Contains(t, got.header.Get("RateLimit"), "r=1")
	})
	t.Run("query in the pattern", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET /wiki/rest/api/search?cql=*","action":{"status":504}}`)
		assert.Equal(t, 504, ask(t, "GET", search+"?cql=x", ann).status)
		assert.Equal(t, 200, ask(t, "GET", search, ann).status)
	})
	t.Run("through the gateway by both paths", func(t *testing.T) {
		for _, match := range []string{"GET /wiki/api/v2/*", "GET /ex/confluence/*"} {
			apply(t, `{"kind":"fault","match":"`+match+`","action":{"status":502}}`)
			assert.Equal(t, 502, ask(t, "GET", e.Gateway()+"/ex/confluence/"+cloudA+"/wiki/api/v2/pages/7", ann).status, match)
		}
	})
	t.Run("reset", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET *","action":{"reset":true}}`)
		_, err := get(page, ann)
		assert.Error(t, err)
	})
	t.Run("truncated", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET *","action":{"truncate_at":10}}`)
		body, err := get(page, ann)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Len(t, body, 10)
	})
	t.Run("delayed and slow", func(t *testing.T) {
		apply(t, `{"kind":"fault","match":"GET *","action":{"delay_ms":30,"status":200,"body":"0123456789","bytes_per_second":100}}`)
		begin := time.Now()
		body, err := get(page, ann)
		require.NoError(t, err)
		assert.Equal(t, "0123456789", body, "slow is not lossy")
		assert.GreaterOrEqual(t, time.Since(begin), (30+100)*time.Millisecond)
	})
	t.Run("a rule that says nothing is refused", func(t *testing.T) {
		assert.Error(t, e.Apply(0, `{"kind":"fault","match":"/wiki","action":{"status":500}}`))
		assert.Error(t, e.Apply(0, `{"kind":"fault","match":"GET /wiki","action":{"statu":500}}`))
	})
}

func TestFaultAfterTheRequestWasExecuted(t *testing.T) {
	e := serve(t)
	require.NoError(t, e.Apply(0, `{"kind":"fault","match":"POST /oauth/token","action":{"after":true,"reset":true},"times":1}`))
	code := consent(t, e, "u-ann", "read:page:confluence offline_access")
	body := exchangeBody(code)
	_, err := http.Post(e.Gateway()+"/oauth/token", "application/json", strings.NewReader(body))
	require.Error(t, err)
	got := token(t, e, body)
	assert.Equal(t, 403, got.status, "the code was used by the request whose answer was lost")
}

func TestFaultsBelongToTheirSite(t *testing.T) {
	e := serve(t, siteText("A", cloudA, true), siteText("B", cloudB, true))
	require.NoError(t, e.Apply(1, `{"kind":"fault","match":"GET *","action":{"status":500}}`))
	assert.Equal(t, 200, ask(t, "GET", e.Addresses()[0].URL+"/api/v2/pages/7", nil).status)
	assert.Equal(t, 500, ask(t, "GET", e.Addresses()[1].URL+"/api/v2/pages/7", nil).status)
}

func get(url string, auth func(*http.Request)) (string, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return "", err
	}
	auth(req)
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func TestRateLimitIsAnnouncedAndHeld(t *testing.T) {
	e := serve(t, siteText("A", cloudA, true))
	url := e.Addresses()[0].URL + "/api/v2/pages/7"
	assert.Empty(t, ask(t, "GET", url, nil).header.Get("X-RateLimit-Limit"))
	require.NoError(t, e.Apply(0, `{"kind":"rate_limit","limit":2,"window_seconds":10}`))
	first, second, third := ask(t, "GET", url, nil), ask(t, "GET", url, nil), ask(t, "GET", url, nil)
	assert.Equal(t, "1", first.header.Get("X-RateLimit-Remaining"))
	assert.Equal(t, "true", second.header.Get("X-RateLimit-NearLimit"))
	assert.Equal(t, 429, third.status)
	assert.Equal(t, "10", third.header.Get("Retry-After"))
	require.NoError(t, e.Apply(0, `{"kind":"clock","advance":"10s"}`))
	assert.Equal(t, 200, ask(t, "GET", url, nil).status)
}

func TestSwitchBoard(t *testing.T) {
	e := serve(t, siteText("A", cloudA, true), siteText("B", cloudB, true))
	main, other := e.Gateway(), strings.TrimSuffix(e.Addresses()[1].URL, "/wiki")
	page := "/wiki/api/v2/pages/7"
	ask(t, "GET", main+page+"?token=secret&x=1", nil)
	ask(t, "GET", other+page, nil)
	ask(t, "GET", main+"/ex/confluence/"+cloudB+page, basic("ann@acme.test", "ann-token"))

	t.Run("journal", func(t *testing.T) {
		all := journal(t, main+"/__emulator/requests")
		require.Len(t, all, 3)
		assert.Equal(t, page+"?token=redacted&x=1", all[0].Path)
		assert.Equal(t, emulator.Request{N: 3, Time: all[2].Time, Method: "GET", Path: "/ex/confluence/" + cloudB + page,
			User: "u-ann", Status: 200, Via: "gateway", Site: cloudB}, all[2])
		assert.Len(t, journal(t, main+"/__emulator/requests?since=2"), 1)
		assert.Len(t, journal(t, main+"/wiki/__emulator/requests"), 3, "below /wiki too")
		assert.Len(t, journal(t, other+"/__emulator/requests"), 2, "a site's own listener tells of that site")
		assert.Equal(t, 400, ask(t, "GET", main+"/__emulator/requests?since=x", nil).status)
	})
	t.Run("not through the gateway", func(t *testing.T) {
		for _, prefix := range []string{"/__emulator/requests", "/wiki/__emulator/requests"} {
			got := ask(t, "GET", main+"/ex/confluence/"+cloudA+prefix, basic("ann@acme.test", "ann-token"))
			assert.Equal(t, 404, got.status)
			assert.NotContains(t, got.body, "requests\":")
		}
	})
	t.Run("apply reports the bad line and keeps the good ones", func(t *testing.T) {
		res, err := http.Post(main+"/__emulator/apply", "application/json", strings.NewReader(
			`{"kind":"user","id":"u-new","username":"new","email":"new@acme.test","token":"new-token"}
{"kind":"nothing"}`))
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, 400, res.StatusCode)
		assert.Contains(t, string(body), `"applied":1`)
		assert.Contains(t, string(body), "line 2")
		assert.Equal(t, "u-new", ask(t, "GET", main+page, basic("new@acme.test", "new-token")).field("user"))
	})
	t.Run("bad lines", func(t *testing.T) {
		for _, line := range []string{`{`, `[]`, `{"kind":"clock","advance":"soon"}`, `{"kind":"cql_lag","second":1}`, `{"kind":"oauth","expire":true}`} {
			assert.Error(t, e.Apply(0, line), line)
		}
	})
	t.Run("unknown command", func(t *testing.T) {
		assert.Equal(t, 404, ask(t, "GET", main+"/__emulator/apply", nil).status)
	})
}

func journal(t *testing.T, url string) []emulator.Request {
	t.Helper()
	got := ask(t, "GET", url, nil)
	require.Equal(t, 200, got.status, got.body)
	var body struct{ Requests []emulator.Request }
	require.NoError(t, json.Unmarshal([]byte(got.body), &body))
	return body.Requests
}

func TestJournalHasTheStatusBeforeTheClientHasTheAnswer(t *testing.T) {
	e := serve(t, siteText("A", cloudA, true))
	for i := range 200 {
		ask(t, "GET", fmt.Sprintf("%s/api/v2/pages/%d", e.Addresses()[0].URL, i), nil)
		got := e.Requests(i)
		require.Len(t, got, 1)
		require.Equal(t, 200, got[0].Status)
	}
}
