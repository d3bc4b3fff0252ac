package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// pump is a question whose word stands in the text of a page, not in a title;
// runbook stands in a title.
const (
	pump    = `"query":"pump",` + asAnn
	runbook = `"query":"runbook",` + asAnn
)

// Rows 48 and 50 of the faults through the whole program: the index is damaged
// while nobody looks, or while it is searched. It is put aside and built anew
// beside the questions, which are answered all the time: by titles, until it is
// there again.
func TestACorruptIndexStopsNoQuestion(t *testing.T) {
	s := newStand(t)
	whole := s.indexed()
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove, "cut": func(path string) error { return os.Truncate(path, 100) },
		"text": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("no index\n"), 500), 0o600) },
	} {
		s.stop()
		n := s.each(index.Folder, harm)
		require.Positive(t, n, name)
		s.start()
		titles := s.always(whole)
		t.Logf("%d files %s while nobody looked: %d answers by titles, then whole", n, name, titles)
	}
	n := s.each(index.Folder, func(path string) error {
		if filepath.Ext(path) != ".zap" {
			return nil
		}
		return os.Truncate(path, 0)
	})
	titles := s.always(whole)
	t.Logf("%d files cut while they were read: %d answers by titles, then whole", n, titles)
	assert.Contains(t, s.log.String(), "damaged")
	require.NoError(t, s.command("sync").Run(), "the owner lives")
	out, err := s.command("mirror", "check").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), " 0 missing, 0 extra, 0 twice, 0 stale")
}

// each harms every file of a part of the data folder.
func (s *stand) each(part string, harm func(path string) error) (n int) {
	s.t.Helper()
	require.NoError(s.t, filepath.WalkDir(s.file(part), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		return harm(path)
	}))
	return n
}

// indexed waits until texts are found, and gives who finds what by then.
func (s *stand) indexed() found {
	s.t.Helper()
	var last found
	eventually(s.t, func() bool {
		last = s.query(pump)
		return last.status == http.StatusOK && !last.Titles && len(last.Results) > 0
	}, "%s\n%s", lazily{&last.raw}, s.log)
	return last
}

// always asks until the answer is the whole one again: until then each answer is
// by titles, of what the caller may see, or says that the mirror is being opened.
func (s *stand) always(whole found) (titles int) {
	s.t.Helper()
	eventually(s.t, func() bool {
		got := s.query(pump)
		hidden := s.query(`"query":"plans zeppelin","accessSettings":{"integrationId":1,"externalUserId":"u-bob"}`)
		assert.NotContains(s.t, hidden.ids(), "1002", "nothing hidden is shown meanwhile")
		switch {
		case got.raw == whole.raw:
			return true
		case got.status == http.StatusServiceUnavailable:
			require.Contains(s.t, []string{"store.opening", "index.damaged", "index.building"}, got.Error.Kind, got.raw)
		default:
			require.Equal(s.t, http.StatusOK, got.status, got.raw)
			if byTitle := s.query(runbook); byTitle.Titles {
				assert.Contains(s.t, byTitle.ids(), "1001")
				titles++
			}
		}
		return false
	}, "the answer is whole again: %s", s.log)
	return titles
}

// Row 43 and 44 of the faults through the whole program: nothing more can be
// written. The sync says so, everything that was read is served, and nothing that
// is hidden meanwhile is shown; when there is room, it goes on by itself.
func TestAFullDiskIsLoudAndServes(t *testing.T) {
	s := newStand(t)
	whole := s.indexed()
	limitFiles(t, s.cmd.Process.Pid, 64<<10)
	var lines []string
	for i := range 60 {
		lines = append(lines, fmt.Sprintf(`{"kind":"content","id":"%d","type":"page","space":"ENG","parent":"1000","title":"Late %d","storage":"<p>%s</p>"}`, 2_000_000+i, i, strings.Repeat(fmt.Sprintf("late%d ", i), 3000)))
	}
	s.site.Apply(lines...)
	_, text := s.ask("POST", "/api/integrations/first/sync", adminKey, "")
	eventually(t, func() bool {
		_, text = s.ask("GET", "/api/integrations/first", adminKey, "")
		return strings.Contains(text, `"state":"store_failed"`)
	}, "%s", lazily{&text})
	assert.Regexp(t, `"code":"store\.(full|unavailable)"`, text)
	assert.Contains(t, s.log.String(), "sync pass ended")
	assert.Equal(t, whole.raw, s.query(pump).raw, "what was read is served")
	assert.Equal(t, annSees, s.query(`"query":"*","limit":100,`+asAnn).Total)

	limitFiles(t, s.cmd.Process.Pid, math.MaxUint64)
	require.NoError(t, s.command("sync").Run())
	eventually(t, func() bool { return s.query(`"query":"late7",`+asAnn).Total == 1 }, "%s", s.log)
	_, text = s.ask("GET", "/api/integrations/first", adminKey, "")
	assert.NotContains(t, text, "store_failed")
	out, err := s.command("mirror", "check").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Rows 47 and 48 of the faults through the whole program: the mirror's file is
// something else. While it is open every answer is right or an error; opened
// again it is put aside, said so, and read from Confluence anew.
func TestACorruptDatabaseIsLoudAndShowsNothingWrong(t *testing.T) {
	s := newStand(t)
	s.stop() // what was read is in the file, and not in its log
	s.start()
	whole := s.indexed()
	allowed := map[string][]string{}
	for _, who := range []string{"u-ann", "u-bob", "u-nobody"} {
		allowed[who] = s.query(`"query":"*","limit":100,"accessSettings":{"integrationId":1,"externalUserId":"` + who + `"}`).ids()
	}
	right := func() (errors int) {
		for who, may := range allowed {
			for _, text := range []string{"*", "pump", "plans zeppelin", "runbook"} {
				got := s.query(`"query":"` + text + `","limit":100,"accessSettings":{"integrationId":1,"externalUserId":"` + who + `"}`)
				if got.status != http.StatusOK {
					assert.Contains(t, []string{"store.damaged", "store.unavailable", "store.opening", "store.unread", "index.building"}, got.Error.Kind, got.raw)
					errors++
				}
				assert.Subset(t, may, got.ids(), "%s as %s", text, who)
			}
		}
		return errors
	}
	f, err := os.OpenFile(s.file(mirror.File), os.O_WRONLY, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	for at := int64(4096); at < info.Size(); at += 4096 {
		_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, 2048), at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	t.Logf("damaged while it is open: %d of 12 questions were answered by an error", right())

	for _, one := range []struct {
		name string
		harm func(path string) error
	}{
		{"as it is", func(string) error { return nil }},
		{"text", func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("no database\n"), 1000), 0o600) }},
		{"cut", func(path string) error { return os.Truncate(path, 5000) }},
	} {
		name := one.name
		_ = s.cmd.Process.Kill() // a clean end could write what is in memory
		_ = s.cmd.Wait()
		require.NoError(t, os.RemoveAll(s.file(mirror.File+"-wal")))
		require.NoError(t, os.RemoveAll(s.file(mirror.File+"-shm")))
		require.NoError(t, one.harm(s.file(mirror.File)))
		s.start()
		right()
		s.synced("first", "second")
		var last string
		eventually(t, func() bool { last = s.query(pump).raw; return last == whole.raw }, "%s: %s\n%s", name, lazily{&last}, s.log)
		assert.Contains(t, s.log.String(), "the mirror was damaged; a new one is filled from Confluence", name)
		assert.Zero(t, right(), name)
	}
	aside, err := filepath.Glob(s.file(mirror.File + "*"))
	require.NoError(t, err)
	assert.Greater(t, len(aside), 3, "what was damaged is kept aside: %v", aside)
}

// Row 47, in a place that only a sync reads: it fails loudly each time, until the
// server is started again; then the file is put aside and everything read anew.
func TestDamageOnlyASyncFindsIsPutAside(t *testing.T) {
	s := newStand(t)
	whole := s.indexed()
	s.stop()
	db, err := sql.Open("sqlite", s.file(mirror.File))
	require.NoError(t, err)
	var size, at int64
	require.NoError(t, db.QueryRow("PRAGMA page_size").Scan(&size))
	require.NoError(t, db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'attachment'").Scan(&at))
	require.NoError(t, db.Close())
	f, err := os.OpenFile(s.file(mirror.File), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, int(size)), (at-1)*size)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	s.start()
	eventually(t, func() bool {
		_, text := s.ask("GET", "/api/integrations/first", adminKey, "")
		return strings.Contains(text, `"state":"store_failed"`) && strings.Contains(text, `"code":"store.damaged"`)
	}, "%s", s.log)
	out, err := s.command("sync", "--full").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "Start the program again")
	assert.Equal(t, whole.raw, s.query(pump).raw, "what is sound is shown")

	s.stop()
	s.start()
	s.synced("first", "second")
	eventually(t, func() bool { return s.query(pump).raw == whole.raw }, "%s", s.log)
	assert.Contains(t, s.log.String(), "the mirror was damaged; a new one is filled from Confluence")
	assert.NoFileExists(t, s.file(mirror.File+".damaged"))
	require.NoError(t, s.command("mirror", "check").Run())
}

// What cannot be read again is never put aside by itself: a server without its
// record of keys, approvals and calls does not start.
func TestACorruptRecordStopsTheStart(t *testing.T) {
	s := newStand(t)
	s.stop()
	before := len(s.site.Requests(0))
	for name, harm := range map[string]func(path string) error{
		"text": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("no database\n"), 1000), 0o600) },
		"cut":  func(path string) error { return os.Truncate(path, 5000) },
	} {
		path := s.file(store.PreciousFile)
		was, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, harm(path))
		out, err := s.command("serve", "--listen", "127.0.0.1:0").CombinedOutput()
		require.Error(t, err, name)
		assert.Contains(t, string(out), "damaged", "%s: %s", name, out)
		assert.NotContains(t, string(out), "serving MCP", name)
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotEmpty(t, now, "%s: nothing is thrown away", name)
		require.NoError(t, os.WriteFile(path, was, 0o600))
	}
	assert.Len(t, s.site.Requests(0), before, "and nothing is asked")
}

// One process owns a data folder. A second server is refused and told whose it
// is; a second client over stdio, and every command, is served through the owner.
func TestOneProcessOwnsTheFolder(t *testing.T) {
	s := newStand(t)
	out, err := s.command("serve", "--listen", "127.0.0.1:0").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), fmt.Sprint(s.cmd.Process.Pid), "%s", out)
	assert.NotContains(t, string(out), "serving MCP")
	second := s.peer("serve", "--stdio", "--as", "first:u-bob")
	second.waitForLog("through the owner")
	second.open()
	second.say(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"confluence_search","arguments":{"query":"pump zeppelin"}}}`)
	text := string(second.hear().Result)
	assert.Contains(t, text, "Runbook")
	assert.NotContains(t, text, "Plans", "as its own caller: bob does not see the plans")
	assert.Contains(t, string(second.read(3, "1002").Result), "not_found")
	for _, r := range s.site.Requests(0) {
		assert.NotContains(t, r.Path, "/search?", "the owner answered from the mirror")
	}
	require.NoError(t, second.in.Close())
	require.NoError(t, second.cmd.Wait())
	assert.Equal(t, http.StatusOK, s.query(pump).status, "the owner goes on")

	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.start()
	assert.NotContains(t, s.log.String(), "another process")
}
