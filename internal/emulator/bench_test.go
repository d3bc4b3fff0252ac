package emulator_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/emulator/wiki"
)

// largeSite is 100,000 pages of about a kilobyte.
func largeSite(tb testing.TB) io.Reader {
	tb.Helper()
	var b strings.Builder
	b.WriteString(siteText("Large", cloudA, false,
		`{"kind":"space","id":"1","key":"L","name":"Large","grants":[{"to":"group:staff","op":"read"}]}`) + "\n")
	text := strings.Repeat("<p>A paragraph of some length about engines and their maintenance.</p>", 12)
	for _, line := range []string{
		`{"kind":"content","id":"10","type":"page","space":"L","title":"Home","author":"u-ann","storage":"` + text + `"}`,
		`{"kind":"content","id":"11","type":"page","space":"L","parent":"10","title":"Child","author":"u-ann","storage":"` + text + `"}`,
		`{"kind":"content","id":"12","type":"page","space":"L","parent":"11","title":"Grandchild","author":"u-ann","storage":"` + text + `","read":["group:staff"]}`,
	} {
		b.WriteString(line + "\n")
	}
	var out bytes.Buffer
	require.NoError(tb, wiki.Grow(&out, strings.NewReader(b.String()), wiki.Growth{Pages: 100_000}))
	return &out
}

// BenchmarkListOf250 asks a site of 100,000 pages for 250 of them, without
// bodies, over loopback, and reports the median in milliseconds. The target is
// below 10.
func BenchmarkListOf250(b *testing.B) {
	e, err := emulator.New(emulator.Config{Now: time.Now, Sites: []emulator.Source{{Name: "large", Lines: largeSite(b)}}})
	require.NoError(b, err)
	require.NoError(b, e.Listen("127.0.0.1:0"))
	b.Cleanup(func() { require.NoError(b, e.Close(context.Background())) })
	req, err := http.NewRequest("GET", e.Addresses()[0].URL+"/api/v2/pages?limit=250", nil)
	require.NoError(b, err)
	req.SetBasicAuth("ann@acme.test", "ann-token")
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		res, err := http.DefaultClient.Do(req)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(b, err)
		require.NoError(b, res.Body.Close())
		require.Equal(b, http.StatusOK, res.StatusCode)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
}
