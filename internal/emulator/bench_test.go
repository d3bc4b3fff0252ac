package emulator_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator"
)

// largeSite is 100,000 pages of about a kilobyte in two spaces, in a tree with
// four floors in which every tenth page is restricted, and 2,000 people.
func largeSite() io.Reader {
	var b bytes.Buffer
	b.WriteString(siteText("Large", cloudA, false) + "\n")
	for key := range 2 {
		fmt.Fprintf(&b, `{"kind":"space","id":"%d","key":"L%d","grants":[{"to":"group:staff","op":"read"}]}`+"\n", key+1, key)
	}
	for i := range 2000 {
		fmt.Fprintf(&b, `{"kind":"user","id":"u-%d","email":"u%d@acme.test","groups":["staff"],"token":"token-%d"}`+"\n", i, i, i)
	}
	text := strings.Repeat("<p>A paragraph of some length about engines and their maintenance.</p>", 12)
	for i := range 100_000 {
		parent, read := "", ""
		if i >= 2 {
			parent = fmt.Sprintf(`,"parent":"%d"`, 1000+i%2+2*(i/2/45))
		}
		if i%10 == 9 {
			read = `,"read":["group:staff"]`
		}
		fmt.Fprintf(&b, `{"kind":"content","id":"%d","type":"page","space":"L%d","title":"Page %d","author":"u-ann","storage":"%s"%s%s}`+"\n",
			1000+i, i%2, i, text, parent, read)
	}
	return &b
}

// BenchmarkListOf250 asks a site of 100,000 pages for 250 of them, without
// bodies, over loopback, and reports the median in milliseconds. The target is
// below 10.
func BenchmarkListOf250(b *testing.B) {
	e, err := emulator.New(emulator.Config{Now: time.Now, Sites: []emulator.Source{{Name: "large", Lines: largeSite()}}})
	require.NoError(b, err)
	require.NoError(b, e.Listen("127.0.0.1:0"))
	b.Cleanup(func() { require.NoError(b, e.Close(context.Background())) })
	for _, path := range []string{"/pages?limit=250", "/spaces/1/pages?limit=250", "/spaces/1/pages?status=current&sort=-modified-date&limit=250"} {
		b.Run(path, func(b *testing.B) { median(b, e.Addresses()[0].URL+"/api/v2"+path) })
	}
}

// median asks url again and again.
func median(b *testing.B, url string) {
	b.Helper()
	req, err := http.NewRequest("GET", url, nil)
	require.NoError(b, err)
	req.SetBasicAuth("ann@acme.test", "ann-token")
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		res, err := http.DefaultClient.Do(req)
		require.NoError(b, err)
		n, err := io.Copy(io.Discard, res.Body)
		require.NoError(b, err)
		require.NoError(b, res.Body.Close())
		require.Equal(b, http.StatusOK, res.StatusCode)
		require.Greater(b, n, int64(50_000), "250 rows are more than that")
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
}
