package v2_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/site"
	v2 "confluence-mcp/internal/emulator/v2"
	"confluence-mcp/internal/emulator/wire"
)

// large is a site of n pages in 20 spaces, every tenth one restricted, trees of
// depth 4.
func large(tb testing.TB, n int) *site.Site {
	var lines strings.Builder
	lines.WriteString(`{"kind":"user","id":"u-ann","groups":["staff","A"]}` + "\n")
	for i := range 20 {
		fmt.Fprintf(&lines, `{"kind":"space","id":"%d","key":"K%d","grants":[{"to":"group:staff","op":"read"}]}`+"\n", i+1, i)
	}
	for i := range n {
		parent, read := "null", ""
		if i >= 20 {
			parent = fmt.Sprintf(`"%d"`, 1000+i%20+20*((i/20)/12))
		}
		if i%10 == 9 {
			read = `"group:A"`
		}
		fmt.Fprintf(&lines, `{"kind":"content","id":"%d","space":"K%d","title":"Page %d","parent":%s,"read":[%s],"storage":"<p>Body of page %d</p>"}`+"\n",
			1000+i, i%20, i, parent, read, i)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := site.New(site.Config{Now: func() time.Time { return now }})
	require.NoError(tb, s.Load(strings.NewReader(lines.String())))
	return s
}

// BenchmarkList250 is one page of a list of a 100,000-page site; the budget is
// 10 ms.
func BenchmarkList250(b *testing.B) {
	s := large(b, 100_000)
	mux := http.NewServeMux()
	for _, r := range v2.Routes() {
		mux.HandleFunc(r.Method+" "+r.Pattern, func(w http.ResponseWriter, req *http.Request) {
			r.Handle(w, req, wire.Call{Site: s, User: "u-ann", Base: "http://site/wiki"})
		})
	}
	for _, path := range []string{"/pages?limit=250", "/pages?limit=250&sort=-modified-date", "/spaces/7/pages?limit=250&status=current", "/pages?title=Page+77777"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequest("GET", "/wiki/api/v2"+path, nil))
				if w.Code != http.StatusOK {
					b.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
		})
	}
}
