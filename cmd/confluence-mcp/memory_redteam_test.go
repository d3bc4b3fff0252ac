package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// process runs the product as a process of its own, so that its memory is its
// own.
func process(t *testing.T, site string) (*product, int) {
	t.Helper()
	path, err := exec.LookPath("confluence-mcp") // this test binary, see TestMain
	require.NoError(t, err)
	p := &product{t: t, dir: productFolder(t), errOut: &safeBuffer{}}
	c := exec.Command(path, "serve", "--config", filepath.Join(p.dir, "c.yaml"), "--listen", "127.0.0.1:0")
	for name, value := range productEnv(site, botToken) {
		c.Env = append(c.Env, name+"="+value)
	}
	c.Stderr = p.errOut
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt) // it may have ended already
		_ = c.Wait()
	})
	require.Eventually(t, func() bool { p.url = urlIn(p.errOut.String()); return p.url != "" }, 20*time.Second, 10*time.Millisecond, "%s", p.errOut)
	return p, c.Process.Pid
}

// memory reads a figure of a process in bytes: VmRSS now, VmHWM at its peak.
func memory(t *testing.T, pid int, field string) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	defer func() { _ = f.Close() }() // only read from
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			require.NoError(t, err)
			return kb << 10
		}
	}
	require.Fail(t, "no such figure")
	return 0
}

// TestA03_OversizedBodiesCostNoMemory: bodies that are too large, too long
// or without end, one after the other. What counts is the resident memory of
// the process after them, against that of the same process after as many
// messages of ordinary size: no collection is asked for and nothing is waited
// for, so what the bodies left as garbage counts too.
func TestA03_OversizedBodiesCostNoMemory(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p, pid := process(t, site.URL)
	for range 50 { // what it needs anyway
		p.rpc(annKey, "tools/list", "", "")
	}
	before := memory(t, pid, "VmRSS")
	for i := range 60 {
		conn := p.dial()
		head := "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + annKey + "\r\nContent-Type: application/json\r\n"
		switch i % 3 {
		case 0:
			head += "Transfer-Encoding: chunked\r\n\r\n"
		case 1:
			head += "Content-Length: 10737418240\r\n\r\n"
		case 2:
			head += fmt.Sprintf("Content-Length: %d\r\n\r\n", 1<<20+1)
		}
		flood(conn, head, i%3 == 0)
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		assert.Contains(t, line, " 413 ", head)
		require.NoError(t, conn.Close())
	}
	grown := memory(t, pid, "VmRSS") - before
	t.Logf("%d KiB before, %d KiB more after", before>>10, grown>>10)
	assert.Less(t, grown, int64(raceFactor*4<<20), "240 MiB were sent")
	assert.Empty(t, site.Requests(0))
	assert.Equal(t, http.StatusOK, p.rpc(annKey, "tools/list", "", "").status)
}

// flood writes a head and then 4 MiB of body, as long as somebody takes it.
func flood(conn net.Conn, head string, chunked bool) {
	block := strings.Repeat("[", 1<<16)
	if chunked {
		block = fmt.Sprintf("%x\r\n%s\r\n", len(block), block)
	}
	_, err := conn.Write([]byte(head))
	for i := 0; i < 64 && err == nil; i++ {
		_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) // a connection of TCP has one
		_, err = conn.Write([]byte(block))
	}
}

// TestI07_HugePagesComeInParts: pages of absurd size are shown in parts or
// refused with a reason, and the process stays within bounds: 61 MiB at its
// peak when this was written, of which 37 to 45 are there when it does nothing.
// The ceiling leaves room for the collector's moods.
func TestI07_HugePagesComeInParts(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	put := func(id, body string) {
		line, err := json.Marshal(map[string]any{"kind": "content", "id": id, "type": "page", "space": "ENG", "parent": "1000", "title": "Page " + id, "storage": body, "author": "u-ann"})
		require.NoError(t, err)
		site.Apply(string(line))
	}
	row := "<tr>" + strings.Repeat("<td>x</td>", 100) + "</tr>"
	put("7001", "<p>first words</p>"+strings.Repeat("<p>"+strings.Repeat("All work and no play. ", 40)+"</p>", 2_000)) // 1.8 MB, more than any page known
	put("7002", "<p>first words</p><table><tbody>"+strings.Repeat(row, 10_000)+"</tbody></table>")                     // a million cells
	put("7003", "<p>first words</p><p>"+strings.Repeat("word ", 4<<20)+"</p>")                                         // 20 MB
	p, pid := process(t, site.URL)
	for _, id := range []string{"7001", "7002", "7003"} {
		got := p.call(annKey, "get_page", map[string]any{"page_id": id}).tool(t)
		assert.Less(t, len(got.Text), 64<<10, id)
		if got.IsError {
			assert.Equal(t, "limit.too_large", got.Kind, got.Text)
			assert.NotEqual(t, "7001", id, got.Text)
		} else {
			assert.Contains(t, got.Text, "first words")
			assert.NotEmpty(t, got.Structured["next_cursor"], "%s goes on", id)
		}
		t.Logf("%s: error %v, peak %d MiB", id, got.IsError, memory(t, pid, "VmHWM")>>20)
	}
	assert.Less(t, memory(t, pid, "VmHWM"), int64(raceFactor*76<<20))
}
