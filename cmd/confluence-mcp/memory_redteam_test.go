package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// buildProduct builds the program that people run: this test binary, which
// other tests let play its part, is larger and may be under the race detector.
func buildProduct(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "confluence-mcp")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// process runs the product as a process of its own, so that its memory and its
// time are its own, with more agents in its configuration.
func process(t *testing.T, site string, agents ...string) (*product, int) {
	t.Helper()
	path := buildProduct(t)
	p := &product{t: t, dir: productFolder(t), errOut: &planted.Log{}}
	file := filepath.Join(p.dir, "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte(productFile+strings.Join(agents, "")), 0o600))
	c := exec.Command(path, "serve", "--config", file, "--listen", "127.0.0.1:0")
	for name, value := range productEnv(site, botToken) {
		c.Env = append(c.Env, name+"="+value)
	}
	c.Stderr = p.errOut
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt) // it may have ended already
		_ = c.Wait()
	})
	eventually(t, func() bool { p.url = urlIn(p.errOut.String()); return p.url != "" }, "%s", p.errOut)
	p.settle()
	return p, c.Process.Pid
}

// staysBelow holds a bound on the memory of a process, by the best of three:
// when the collector gets a core makes the figure larger, never smaller.
func staysBelow(t *testing.T, bound int64, figure func(t *testing.T) int64) {
	t.Helper()
	least := int64(math.MaxInt64)
	for n := 1; n <= 3 && least >= bound; n++ {
		t.Run(fmt.Sprintf("process %d", n), func(t *testing.T) { least = min(least, figure(t)) })
	}
	assert.Less(t, least, bound)
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
	staysBelow(t, 4<<20, afterOversizedBodies) // 240 MiB are sent
}

// afterOversizedBodies is by how much a process has grown.
func afterOversizedBodies(t *testing.T) int64 {
	site := emulatortest.Start(t, siteWith(botToken))
	p, pid := process(t, site.URL)
	for range 50 { // what it needs anyway
		p.rpc(annKey, "tools/list", "", "")
	}
	asked := len(site.Requests(0))
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
	assert.Len(t, site.Requests(0), asked)
	assert.Equal(t, http.StatusOK, p.rpc(annKey, "tools/list", "", "").status)
	return grown
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

// hugePages puts pages of absurd size, and gives their ids.
func hugePages(t *testing.T, site *emulatortest.Emulator) []string {
	t.Helper()
	row := "<tr>" + strings.Repeat("<td>x</td>", 100) + "</tr>"
	storage := map[string]string{
		"7001": strings.Repeat("<p>"+strings.Repeat("All work and no play. ", 40)+"</p>", 1_750), // 1.55 MB, shown whole
		"7002": "<table><tbody>" + strings.Repeat("<tr>"+strings.Repeat("<td/>", 100)+"</tr>", 10_000) + "</tbody></table>",
		"7003": "<table><tbody>" + strings.Repeat(row, 10_000) + "</tbody></table>", // a million cells, 10 MB
		"7004": "<p>" + strings.Repeat("word ", 4<<20) + "</p>",                     // 20 MB
	}
	ids := slices.Sorted(maps.Keys(storage))
	for _, id := range ids {
		line, err := json.Marshal(map[string]any{"kind": "content", "id": id, "type": "page", "space": "ENG", "parent": "1000", "title": "Page " + id, "storage": "<p>first words</p>" + storage[id], "author": "u-ann"})
		require.NoError(t, err)
		site.Apply(string(line))
	}
	return ids
}

// readHuge reads a page from its beginning into its second part, and beyond.
func readHuge(t *testing.T, p *product, id string) {
	t.Helper()
	got := p.call(annKey, "get_page", map[string]any{"page_id": id}).tool(t)
	require.False(t, got.IsError, got.Text)
	assert.Less(t, len(got.Text), 64<<10, id)
	assert.Contains(t, got.Text, "first words")
	assert.Equal(t, true, got.Structured["truncated"], id)
	for range 6 {
		cursor := got.Structured["next_cursor"]
		require.NotEmpty(t, cursor, "%s goes on", id)
		got = p.call(annKey, "get_page", map[string]any{"page_id": id, "cursor": cursor, "max_chars": 30_000}).tool(t)
		require.False(t, got.IsError, got.Text)
		assert.NotContains(t, got.Text, "first words")
	}
}

// TestI07_HugePagesComeInParts: pages of absurd size are shown in parts, each
// with a cursor that goes on, and the process stays below 64 MiB. They appear
// after the first pass: what reading costs is not what copying costs.
func TestI07_HugePagesComeInParts(t *testing.T) {
	staysBelow(t, 64<<20, func(t *testing.T) int64 {
		site := emulatortest.Start(t, siteWith(botToken))
		p, pid := process(t, site.URL)
		t.Logf("%d MiB before", memory(t, pid, "VmHWM")>>20)
		for _, id := range hugePages(t, site) {
			readHuge(t, p, id)
			t.Logf("%s: peak %d MiB", id, memory(t, pid, "VmHWM")>>20)
		}
		return memory(t, pid, "VmHWM")
	})
}

// TestI07_HugePagesAreCopiedInBoundedMemory: a sync that meets such pages takes
// a bounded amount of memory, however large they are, and those that it does
// not copy are read from Confluence. Of the bound 44 MiB are the idle process,
// 24 three forms of the 8 MiB of bodies that are on their way at most, and 32
// the words of the one batch that the index cuts at a time.
func TestI07_HugePagesAreCopiedInBoundedMemory(t *testing.T) {
	staysBelow(t, 100<<20, func(t *testing.T) int64 {
		site := emulatortest.Start(t, siteWith(botToken))
		ids := hugePages(t, site)
		p, pid := process(t, site.URL)
		t.Logf("peak of the sync %d MiB", memory(t, pid, "VmHWM")>>20)
		assert.Contains(t, p.errOut.String(), `"problems":3`, "three are not copied, and said to be")
		for _, id := range ids {
			readHuge(t, p, id)
		}
		t.Logf("with reading %d MiB, %d at the end", memory(t, pid, "VmHWM")>>20, memory(t, pid, "VmRSS")>>20)
		return memory(t, pid, "VmHWM")
	})
}
