package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/store"
)

// Row 45 of the faults, through the whole program: when the files it may write
// can't grow any more, no write reaches Confluence that the log doesn't hold,
// reads go on, and so do writes once there is room.
func TestFullDiskLetsNoUnauditedWriteThrough(t *testing.T) {
	site, dir := emulatortest.Start(t), t.TempDir()
	p := spawn(t, site, "serve", "--profile", "full-access", "--data-dir", dir)
	p.open()
	n := 1
	call := func(tool, arguments string) (text string, failed bool) {
		n++
		p.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, n, tool, arguments))
		a := p.hear()
		require.Nil(t, a.Error)
		var r struct {
			IsError bool
			Content []struct{ Text string }
		}
		require.NoError(t, json.Unmarshal(a.Result, &r))
		return r.Content[0].Text, r.IsError
	}
	label := func() (string, bool) {
		return call("confluence_add_label", fmt.Sprintf(`{"page_id":"1001","name":"label-%d"}`, n))
	}
	_, failed := label()
	require.False(t, failed)
	wal, err := os.Stat(filepath.Join(dir, store.PreciousFile+"-wal"))
	require.NoError(t, err)
	limitFiles(t, p.cmd.Process.Pid, uint64(wal.Size())+128<<10)
	made, refused := 1, 0
	for refused < 20 && n < 90 {
		text, failed := label()
		if !failed {
			made++
			continue
		}
		require.Regexp(t, "could not be (written to the audit log|counted).*Nothing was changed", text)
		refused++
	}
	require.Greater(t, made, 1)
	require.Equal(t, 20, refused)
	_, failed = call("confluence_get_page", `{"page_id":"1001"}`)
	assert.False(t, failed, "reads go on")
	limitFiles(t, p.cmd.Process.Pid, unix.RLIM_INFINITY)
	for range 5 {
		text, failed := label()
		require.False(t, failed, text)
	}
	require.NoError(t, p.in.Close())
	require.NoError(t, p.cmd.Wait())
	compareWithLog(t, site, dir, made+5)
}

// compareWithLog checks that exactly want writes reached Confluence, and that
// the log, unbroken, has each of them. It may have more, without an outcome: a
// change that was recorded and then could not be counted was not made.
func compareWithLog(t *testing.T, site *emulatortest.Emulator, dir string, want int) {
	t.Helper()
	ctx := context.Background()
	precious, err := store.OpenPrecious(ctx, dir, time.Now)
	require.NoError(t, err)
	defer func() { assert.NoError(t, precious.Close()) }()
	_, err = precious.VerifyAudit(ctx, nil)
	require.NoError(t, err)
	logged, err := precious.Audit(ctx, store.AuditFilter{Writes: true})
	require.NoError(t, err)
	reached := 0
	for _, q := range site.Requests(0) {
		if q.Method != "GET" && !strings.HasSuffix(q.Path, "/users-bulk") { // which reads
			reached++
		}
	}
	assert.Equal(t, want, reached)
	ended := 0
	for _, one := range logged {
		if one.Outcome.Result == audit.OK {
			ended++
		}
	}
	assert.GreaterOrEqual(t, len(logged), reached)
	assert.LessOrEqual(t, ended, reached)
	t.Logf("%d writes reached Confluence, %d are in the log, %d of them as made", reached, len(logged), ended)
}

// limitFiles bounds how large a file process pid can make, in bytes.
func limitFiles(t *testing.T, pid int, size uint64) {
	t.Helper()
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil))
}
