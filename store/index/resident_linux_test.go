package index_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store/index"
)

// What was read of the files is given back while much is written, and found all
// the same.
func TestFilesLeaveMemoryWhileMuchIsWritten(t *testing.T) {
	dir := t.TempDir()
	log := newPages()
	for i := range uint32(2000) {
		log.put(page(i+1, "Page", fmt.Sprintf("common word%d %s", i, strings.Repeat(fmt.Sprintf("w%x ", i*i), 50))))
	}
	v := newRights(t, 2000).view("ann")
	first, err := index.Open(t.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(t, err)
	require.NoError(t, first.Follow(t.Context()))
	require.NoError(t, first.Close())
	x := open(t, log, dir) // every file is read once

	read := mappedOf(t, dir)
	require.Greater(t, read, 100, "kB")
	index.LetGo(x)
	assert.Zero(t, mappedOf(t, dir))
	assert.Len(t, found(t, x, v, index.Query{Text: "word77"}), 1)
	assert.Positive(t, mappedOf(t, dir), "what a search needs comes back")
}

// mappedOf is how much of the files of a folder is in this process's memory, in kB.
func mappedOf(t *testing.T, dir string) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	sum, of := 0, false
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); strings.Contains(f[0], "-") {
			of = strings.Contains(line, dir) && strings.Contains(line, ".zap")
		} else if of && f[0] == "Rss:" {
			kb, err := strconv.Atoi(f[1])
			require.NoError(t, err)
			sum += kb
		}
	}
	return sum
}
