package v1_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/v1"
	"confluence-mcp/internal/emulator/wire"
)

// bench is an emulator of the small site; every exchange is held against the
// official document.
type bench struct {
	*emulatortest.Emulator
	t *testing.T
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func start(t *testing.T, lines ...string) *bench {
	t.Helper()
	return &bench{emulatortest.Start(t, emulatortest.SmallSite+strings.Join(lines, "\n")), t}
}

// get asks a path below /wiki/rest/api/ as a user.
func (b *bench) get(user, path string) answer { return b.do(user, http.MethodGet, path, "", nil) }

func (b *bench) do(user, method, path, body string, header http.Header) answer {
	b.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.URL + "/rest/api/" + strings.TrimPrefix(path, "/rest/api/")
	}
	req, err := http.NewRequest(method, path, strings.NewReader(body))
	require.NoError(b.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if user != "" {
		req.SetBasicAuth(b.Email(user), b.Token(user))
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		require.NoError(b.t, json.Unmarshal(raw, &a.body), a.raw)
	}
	return a
}

func (b *bench) ok(user, method, path, body string) answer {
	b.t.Helper()
	a := b.do(user, method, path, body, nil)
	require.Less(b.t, a.status, 300, a.raw)
	return a
}

// refused asks and wants a status and an error body of this API.
func (b *bench) refused(status int, user, method, path, body string) answer {
	b.t.Helper()
	a := b.do(user, method, path, body, nil)
	require.Equal(b.t, status, a.status, a.raw)
	assert.EqualValues(b.t, status, a.at("statusCode"))
	assert.NotEmpty(b.t, a.at("message"))
	assert.Equal(b.t, false, a.at("data", "successful"))
	return a
}

// file is one part of an upload; name empty makes it a field.
type file struct{ field, name, kind, text string }

func (b *bench) upload(user, method, path string, parts ...file) answer {
	b.t.Helper()
	var buf bytes.Buffer
	m := multipart.NewWriter(&buf)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.field + `"`}}
		if p.name != "" {
			h.Set("Content-Disposition", h.Get("Content-Disposition")+`; filename="`+p.name+`"`)
		}
		if p.kind != "" {
			h.Set("Content-Type", p.kind)
		}
		w, err := m.CreatePart(h)
		require.NoError(b.t, err)
		_, err = io.WriteString(w, p.text)
		require.NoError(b.t, err)
	}
	require.NoError(b.t, m.Close())
	return b.do(user, method, path, buf.String(), http.Header{"Content-Type": {m.FormDataContentType()}, "X-Atlassian-Token": {"nocheck"}})
}

// at walks into a body by keys and indexes; nil where there is nothing.
func (a answer) at(path ...any) any { return at(a.body, path...) }

func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			list, _ := v.([]any)
			if s >= len(list) {
				return nil
			}
			v = list[s]
		}
	}
	return v
}

// column gives one value of each result.
func (a answer) column(path ...any) []any {
	out := []any{}
	list, _ := a.body["results"].([]any)
	for _, row := range list {
		out = append(out, at(row, path...))
	}
	return out
}

// handlerOf is a route's bare handler, for fuzzing and benchmarks.
func handlerOf(pattern string) func(http.ResponseWriter, *http.Request, wire.Call) {
	for _, r := range v1.Routes() {
		if r.Pattern == pattern {
			return r.Handle
		}
	}
	return nil
}
