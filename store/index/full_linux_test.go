package index_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// The environment variable tells the test binary that it is the limited one.
const limited = "INDEX_TEST_LIMITED"

// TestFaultRow44AFullDiskLeavesWhatWasThere is row 44 of the fault matrix: files of the
// index cannot grow; searches go on, the index is behind, and catches up when
// there is room.
func TestFaultRow44AFullDiskLeavesWhatWasThere(t *testing.T) {
	if os.Getenv(limited) == "" { // the limit is of a process, and go test writes files too
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), limited+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "PASS")
		return
	}
	log := newPages(some(50)...)
	v := newRights(t, 400).view("ann")
	x := followed(t, log)
	large := make([]mirror.Page, 300)
	for i := range large {
		var text strings.Builder
		for range 200 {
			fmt.Fprintf(&text, "late%xk ", rand.Uint32())
		}
		large[i] = page(uint32(100+i), "Late", text.String())
	}
	log.put(large...)

	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 128 << 10, Max: was.Max}))
	failed := x.Follow(t.Context())
	hits := found(t, x, v, index.Query{Text: "common", Limit: 100})
	again := x.Follow(t.Context())
	st := x.Status()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))

	assert.Equal(t, confluence.Unavailable, confluence.KindOf(failed), "%v", failed)
	assert.Error(t, again)
	assert.Len(t, hits, 50)
	assert.Equal(t, int64(300), st.Behind)
	assert.False(t, st.Rebuilding)
	require.NoError(t, x.Follow(t.Context()))
	assert.Len(t, found(t, x, v, index.Query{Text: "late", Limit: 1000}), 300)
	sound(t, x)
}
