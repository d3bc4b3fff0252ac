package mirror_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

func code(t *testing.T, err error) string {
	t.Helper()
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	return e.StableCode()
}

// Row 43 of the faults.
func TestFullDiskStopsWritingNotReading(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	require.NoError(t, mirror.Exec(b.Mirror, "PRAGMA max_page_count = 1"))
	big := content("1", 2)
	big.Text = strings.Repeat("x", 1<<20)
	p := b.begin()
	require.NoError(t, p.Observe(tree()...))
	_, err := p.Tighten(b.ctx, true)
	require.NoError(t, err)
	for range 3 {
		_, err = p.Put(b.ctx, []mirror.Content{content("4", 2), big}, "m")
		require.Equal(t, "store.full", code(t, err))
		got, err := b.Page(b.ctx, who("bob"), mirror.Ref{ID: "4"})
		require.NoError(t, err)
		assert.Equal(t, 1, got.Version.Number, "nothing of the batch")
		assert.False(t, b.sees("bob", "2"))
	}
	require.NoError(t, mirror.Exec(b.Mirror, "PRAGMA max_page_count = 1000000"))
	_, err = p.Put(b.ctx, []mirror.Content{content("4", 2), big}, "m")
	require.NoError(t, err)
	require.NoError(t, p.Loosen(b.ctx))
	got, err := b.Page(b.ctx, who("bob"), mirror.Ref{ID: "1"})
	require.NoError(t, err)
	assert.Equal(t, big.Text, got.Text)
	require.NoError(t, b.Check(b.ctx))
}

// A batch that fails after it changed rights leaves the rights of before.
func TestAFailedBatchLeavesNoRights(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	require.NoError(t, mirror.Exec(b.Mirror, "CREATE TRIGGER no BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'no'); END"))
	p := b.Writer()
	require.Error(t, p.SetPeople(b.ctx, []mirror.Person{{Person: guard.Person{Integration: 1, ID: "bob", Active: true, Groups: []string{"gs", "ga"}, CheckedAt: noon()}}}))
	require.Error(t, p.DropIntegration(b.ctx, 1))
	assert.False(t, b.sees("bob", "2"))
	assert.True(t, b.sees("ann", "2"))
	require.NoError(t, mirror.Exec(b.Mirror, "DROP TRIGGER no"))
	require.NoError(t, p.SetMark(b.ctx, 1, "m", "v"))
	assert.False(t, b.sees("bob", "2"), "nothing was left behind for the next batch")
}

// Rows of rights that were changed behind the program's back admit nobody.
func TestDamagedRightsAreSealed(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		want      mirror.Damage
		hidden    []string // from ann
	}{
		"a clause is lifted": {"UPDATE node SET state = 1, clause = '[]' WHERE id = '2'", mirror.Damage{Nodes: 1}, []string{"2", "3"}},
		"a page is moved":    {"UPDATE node SET parent = 0 WHERE id = '3'", mirror.Damage{Nodes: 1}, []string{"3"}},
		"a page is unhidden": {"UPDATE node SET gone = 9 WHERE id = '1'", mirror.Damage{Nodes: 1}, []string{"1", "2", "3", "4"}},
		"a space is opened":  {`UPDATE space SET grants = '[{"Kind":3,"ID":"anonymous-users"}]'`, mirror.Damage{Spaces: 1}, []string{"1", "2", "3", "4"}},
		"a person joins":     {`UPDATE person SET value = replace(value, '"ga"', '"gb"') WHERE id = 'ann'`, mirror.Damage{People: 1}, []string{"1", "2", "3", "4"}},
		"a group is renamed": {`UPDATE membership SET value = replace(value, 'staff', 'crew')`, mirror.Damage{Groups: 1}, []string{"1", "2", "3", "4"}},
		"a mode is changed":  {`UPDATE integration SET value = replace(value, '"Mode":1', '"Mode":2')`, mirror.Damage{Integrations: 1}, []string{"1", "2", "3", "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t)
			b.sync(1, tree()...)
			require.NoError(t, mirror.Exec(b.Mirror, c.statement))
			b = open(t, b.dir)
			assert.Equal(t, c.want, b.Damaged())
			assert.Equal(t, "store.damaged", code(t, b.Check(b.ctx)))
			for _, id := range []string{"1", "2", "3", "4"} {
				assert.Equal(t, !assert.ObjectsAreEqual(true, contains(c.hidden, id)), b.sees("ann", id), id)
				assert.False(t, b.sees("bob", id) && id != "1" && id != "4")
			}
			b.people()
			b.sync(1, tree()...)
			assert.True(t, b.sees("ann", "3"), "a pass makes it good")
			b = open(t, b.dir)
			assert.Zero(t, b.Damaged())
			assert.True(t, b.sees("ann", "3"))
		})
	}
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

func TestADamagedBodyIsNotShown(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	require.NoError(t, mirror.Exec(b.Mirror, "UPDATE body SET text = 'other' WHERE node = (SELECT idx FROM node WHERE id = '1')"))
	_, err := b.Page(b.ctx, who("ann"), mirror.Ref{ID: "1"})
	assert.Equal(t, "store.damaged", code(t, err))
	assert.Equal(t, "store.damaged", code(t, b.Check(b.ctx)))
	assert.True(t, b.sees("ann", "2"))
}

// TestADamagedBodyHoldsUpNothing: a body that is not what was written, or lost,
// leaves everything else readable, and the next reading of its page heals it,
// though Confluence has nothing new.
func TestADamagedBodyHoldsUpNothing(t *testing.T) {
	const of1 = "(SELECT idx FROM node WHERE id = '1')"
	for name, harm := range map[string]string{
		"other text":    "UPDATE body SET text = 'other' WHERE node = " + of1,
		"other storage": "UPDATE body SET storage = '' WHERE node = " + of1,
		"another hash":  "UPDATE body SET hash = x'00' WHERE node = " + of1,
		"lost":          "DELETE FROM body WHERE node = " + of1,
	} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t)
			b.sync(1, tree()...)
			f := b.Follower()
			_, last, err := f.Range(b.ctx)
			require.NoError(t, err)
			require.NoError(t, mirror.Exec(b.Mirror, harm))
			_, err = b.Page(b.ctx, who("ann"), mirror.Ref{ID: "1"})
			require.Error(t, err)
			assert.True(t, mirror.DamagedBody(err), "%v", err)
			place, err := b.Place(b.ctx, who("ann"), mirror.Ref{ID: "1"})
			require.NoError(t, err)
			assert.Equal(t, "Title 1", place.Title)

			all, err := f.All(b.ctx, 0, 10)
			require.NoError(t, err)
			require.Equal(t, []string{"1", "2", "3", "4"}, ids(all))
			assert.Equal(t, []string{"", "body 2 1"}, []string{all[0].Body + all[0].Text, all[1].Text})
			p, there, err := f.Page(b.ctx, place.Index)
			require.NoError(t, err)
			assert.True(t, there)
			assert.Equal(t, "Title 1", p.Title)

			b.sync(1, tree()...)
			changes, err := f.Changes(b.ctx, last, 10)
			require.NoError(t, err)
			require.Len(t, changes, 1, "only what was damaged is another")
			assert.Equal(t, place.Index, changes[0].Index)
			whole, err := b.Page(b.ctx, who("ann"), mirror.Ref{ID: "1"})
			require.NoError(t, err)
			assert.Equal(t, "body 1 1", whole.Text)
			assert.NoError(t, b.Check(b.ctx))
		})
	}
}

// TestARowOfAnotherNodeIsNotShown: a number that is another one puts what a hidden
// page is called, or its files, under a page the caller sees.
func TestARowOfAnotherNodeIsNotShown(t *testing.T) {
	const of1, of2 = "(SELECT idx FROM node WHERE id = '1')", "(SELECT idx FROM node WHERE id = '2')"
	for name, c := range map[string]struct {
		harm string
		page bool // is still shown
	}{
		"a page":        {"DELETE FROM page WHERE node = " + of1 + "; UPDATE page SET node = " + of1 + " WHERE node = " + of2, false},
		"a title":       {"UPDATE page SET title = (SELECT title FROM page WHERE node = " + of2 + ") WHERE node = " + of1, false},
		"labels":        {"UPDATE page SET labels = 'x' WHERE node = " + of1, false},
		"a file":        {"UPDATE attachment SET node = " + of1 + " WHERE node = " + of2, true},
		"a file's name": {"UPDATE attachment SET title = 'secret' WHERE node = " + of1, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t)
			b.sync(1, tree()...)
			require.NoError(t, mirror.Exec(b.Mirror, c.harm))
			l, err := b.Pages(b.ctx, who("bob"), mirror.Filter{}, confluence.Paging{})
			require.NoError(t, err)
			for _, p := range l.Items {
				assert.Equal(t, "Title "+p.ID, p.Title)
			}
			assert.Equal(t, c.page, b.sees("bob", "1"))
			assert.True(t, b.sees("bob", "4"))
			files, _ := b.Attachments(b.ctx, who("bob"), mirror.Ref{ID: "1"}) // where the page is not shown they are not either
			for _, f := range files {
				assert.Equal(t, []string{"att1", "f.png"}, []string{f.ID, f.Title})
			}
			_, err = b.Attachment(b.ctx, who("bob"), mirror.Ref{ID: "att2"})
			assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
			all, err := b.Follower().All(b.ctx, 0, 10)
			require.NoError(t, err)
			for _, p := range all {
				assert.Equal(t, "Title "+p.ID, p.Title)
			}
			assert.Equal(t, "store.damaged", code(t, b.Check(b.ctx)))

			p := b.begin()
			require.NoError(t, p.Observe(tree()...))
			one := content("1", 1)
			changed, _, err := p.Outdated(b.ctx, []mirror.Listed{{ID: "1", Version: 1, Title: one.Title, Labels: one.Labels, Attachments: map[string]int{"att1": 1}}}, noon())
			require.NoError(t, err)
			assert.Equal(t, []string{"1"}, changed, "the next pass reads it again")
			b.sync(1, tree()...)
			require.NoError(t, b.Check(b.ctx))
			assert.True(t, b.sees("bob", "1"))
			files, err = b.Attachments(b.ctx, who("ann"), mirror.Ref{ID: "2"})
			require.NoError(t, err)
			assert.Len(t, files, 1)
		})
	}
}

// TestRowsOfBeforeTheyHadHashesAreReadAgain: until then nothing counts as read.
func TestRowsOfBeforeTheyHadHashesAreReadAgain(t *testing.T) {
	dir := spoiled(t, func(string) error { return nil })
	m, err := mirror.Open(context.Background(), mirror.Config{Dir: dir, Now: noon})
	require.NoError(t, err)
	require.NoError(t, mirror.Exec(m, "ALTER TABLE page DROP COLUMN hash; ALTER TABLE attachment DROP COLUMN hash; PRAGMA user_version = 1"))
	require.NoError(t, m.Writer().SetMark(context.Background(), 1, "source", "a site"))
	require.NoError(t, m.Writer().SetMark(context.Background(), 1, "sync", `{"complete":"2026-05-01T12:00:00Z","refused":"2026-05-02T12:00:00Z"}`))
	require.NoError(t, m.Close())
	b := open(t, dir)
	for name, is := range map[string]string{"space:100": "", "source": "a site", "sync": `{"refused":"2026-05-02T12:00:00Z"}`} {
		mark, err := b.Writer().Mark(b.ctx, 1, name)
		require.NoError(t, err)
		assert.Equal(t, is, mark, name)
	}
	assert.False(t, b.sees("ann", "1"))
	b.sync(1, tree()...)
	assert.True(t, b.sees("ann", "1"))
	assert.NoError(t, b.Check(b.ctx))
}

// An index that is built anew goes on behind rows that are damaged, however many.
func TestDamagedRowsAreNotTheEnd(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	whole, err := b.Follower().All(b.ctx, 0, 100)
	require.NoError(t, err)
	require.Greater(t, len(whole), 2)
	last := whole[len(whole)-1]
	require.NoError(t, mirror.Exec(b.Mirror, fmt.Sprintf("UPDATE page SET hash = x'' WHERE node < %d", last.Index)))
	left, err := b.Follower().All(b.ctx, 0, 1)
	require.NoError(t, err)
	require.Len(t, left, 1)
	assert.Equal(t, last.ID, left[0].ID)
	left, err = b.Follower().All(b.ctx, last.Index, 1)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestPlacesShowWhatTheCallerMaySee(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	place, err := b.Place(b.ctx, who("ann"), mirror.Ref{ID: "2"})
	require.NoError(t, err)
	assert.Equal(t, []string{"Title 2", "", ""}, []string{place.Title, place.Body, place.Text})
	for _, id := range []string{"2", "3", "99"} {
		_, err := b.Place(b.ctx, who("bob"), mirror.Ref{ID: id})
		assert.Equal(t, confluence.NotFound, confluence.KindOf(err), id)
		assert.False(t, mirror.DamagedBody(err))
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	b := fresh(t)
	require.NoError(t, mirror.Exec(b.Mirror, "PRAGMA user_version = 99"))
	_, err := mirror.Open(b.ctx, mirror.Config{Dir: b.dir, Now: noon})
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
}

// Row 48: the file is something else. It is put aside and made anew.
func TestDamagedFilesAreReportedAndPutAside(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"text": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("not a database\n", 1000)), 0o600)
		},
		"truncated": func(path string) error { return os.Truncate(path, 5000) },
		"no header": func(path string) error { return flip(path, 3, 0xff) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := spoiled(t, spoil)
			_, err := mirror.Open(context.Background(), mirror.Config{Dir: dir, Now: noon})
			require.Equal(t, "store.damaged", code(t, err))
			aside, err := mirror.Quarantine(dir, noon())
			require.NoError(t, err)
			assert.FileExists(t, aside)
			b := open(t, dir)
			b.people()
			b.sync(1, tree()...)
			assert.True(t, b.sees("bob", "1"))
		})
	}
}

// Row 47, in places that opening the file does not read: whoever comes upon them
// is told to start again, and then the file is put aside though it opens.
func TestDamageFoundAtWorkIsPutAside(t *testing.T) {
	for _, table := range []string{"page", "body", "label", "attachment", "change"} {
		t.Run(table, func(t *testing.T) {
			dir := spoiled(t, func(path string) error { return breakTable(path, table) })
			m, err := mirror.Open(context.Background(), mirror.Config{Dir: dir, Now: noon})
			require.NoError(t, err)
			b := &box{Mirror: m, t: t, ctx: context.Background(), dir: dir}
			p := b.begin()
			require.NoError(t, p.Observe(tree()...))
			_, err = p.Tighten(b.ctx, true)
			require.NoError(t, err)
			for range 2 {
				_, err = p.Put(b.ctx, []mirror.Content{content("1", 2)}, "m")
				var said *confluence.Error
				require.ErrorAs(t, err, &said)
				assert.Equal(t, "store.damaged", said.StableCode())
				assert.Contains(t, said.Next, "Start the program again")
			}
			_, err = b.Page(b.ctx, who("bob"), mirror.Ref{ID: "2"})
			assert.Equal(t, confluence.NotFound, confluence.KindOf(err), "nothing hidden is shown meanwhile")
			require.NoError(t, m.Close())

			for range 2 {
				_, err = mirror.Open(b.ctx, mirror.Config{Dir: dir, Now: noon})
				require.Equal(t, "store.damaged", code(t, err))
			}
			aside, err := mirror.Quarantine(dir, noon())
			require.NoError(t, err)
			assert.FileExists(t, aside)
			b = open(t, dir)
			b.people()
			b.sync(1, tree()...)
			assert.True(t, b.sees("bob", "1"))
			assert.NoError(t, b.Check(b.ctx))
		})
	}
}

// breakTable overwrites the first page of a table.
func breakTable(path, table string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	var size, at int64
	err = errors.Join(db.QueryRow("PRAGMA page_size").Scan(&size), db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = ?", table).Scan(&at), db.Close())
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, int(size)), (at-1)*size)
	return errors.Join(err, f.Close())
}

// spoiled is a data folder whose mirror was closed properly and then spoiled.
func spoiled(t *testing.T, spoil func(path string) error) string {
	t.Helper()
	dir := t.TempDir()
	m, err := mirror.Open(context.Background(), mirror.Config{Dir: dir, Now: noon})
	require.NoError(t, err)
	b := &box{Mirror: m, t: t, ctx: context.Background(), dir: dir}
	b.people()
	b.sync(1, tree()...)
	require.NoError(t, m.Close())
	require.NoError(t, spoil(filepath.Join(dir, mirror.File)))
	return dir
}

func flip(path string, at int64, bits byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var one [1]byte
	if _, err := f.ReadAt(one[:], at); err != nil {
		return err
	}
	one[0] ^= bits
	_, err = f.WriteAt(one[:], at)
	return err
}

// Row 47: one byte of the file is other than it was. Either it is reported, or
// everything that is shown is right.
func TestFlippedBytesServeNoWrongRights(t *testing.T) {
	dir := spoiled(t, func(string) error { return nil })
	whole, err := os.ReadFile(filepath.Join(dir, mirror.File))
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(47, 0))
	const flips = 300
	reported, harmless, wrong := 0, 0, 0
	for range flips {
		at, bits := r.IntN(len(whole)), byte(1+r.IntN(255))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, mirror.File+"-wal")))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, mirror.File+"-shm")))
		whole[at] ^= bits
		require.NoError(t, os.WriteFile(filepath.Join(dir, mirror.File), whole, 0o600))
		whole[at] ^= bits
		bad, told := probe(dir)
		switch {
		case bad:
			wrong++
			t.Errorf("byte %d ^ %02x", at, bits)
		case told:
			reported++
		default:
			harmless++
		}
	}
	t.Logf("%d flipped bytes: %d reported, %d harmless, %d wrong rights", flips, reported, harmless, wrong)
}

// probe reads everything as everybody: wrong says that somebody was shown what
// he may not see, told that a read or the check reported damage.
func probe(dir string) (wrong, told bool) {
	ctx := context.Background()
	m, err := mirror.Open(ctx, mirror.Config{Dir: dir, Now: noon})
	if err != nil {
		return false, true
	}
	defer m.Close()
	told = m.Check(ctx) != nil
	may := map[string]string{"ann": "1 2 3 4", "bob": "1 4", "zoe": ""}
	for id, allowed := range may {
		l, err := m.Pages(ctx, who(id), mirror.Filter{}, confluence.Paging{})
		told = told || err != nil
		for _, p := range l.Items {
			wrong = wrong || !contains(strings.Fields(allowed), p.ID) || p.Title != "Title "+p.ID
		}
		for _, page := range []string{"1", "2", "3", "4"} {
			p, err := m.Page(ctx, who(id), mirror.Ref{ID: page})
			if err != nil {
				told = told || confluence.KindOf(err) != confluence.NotFound
				continue
			}
			wrong = wrong || !contains(strings.Fields(allowed), page) || !strings.HasPrefix(p.Text, "body "+page) || p.Title != "Title "+page
			files, err := m.Attachments(ctx, who(id), mirror.Ref{ID: page})
			told = told || err != nil
			for _, f := range files {
				wrong = wrong || f.ID != "att"+page || f.Title != "f.png"
			}
		}
	}
	return wrong, told
}

const crashFolder = "MIRROR_CRASH_FOLDER"

// TestMain is the victim of the crash test when it is told a folder.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		victim(dir)
		os.Exit(3)
	}
	os.Exit(m.Run())
}

const crashPages = 40

// victim writes passes until it is killed: the pages of an odd pass carry a
// secret and are restricted, those of an even one are free. It tells each pass
// it has finished.
func victim(dir string) {
	ctx := context.Background()
	m, err := mirror.Open(ctx, mirror.Config{Dir: dir, Now: noon})
	if err != nil {
		fmt.Println("open", err)
		return
	}
	last, err := m.Writer().Mark(ctx, 1, "finished")
	n, _ := strconv.Atoi(last)
	fmt.Println("open", n)
	for err == nil {
		n++
		if err = crashPass(ctx, m, n); err == nil {
			err = m.Writer().SetMark(ctx, 1, "finished", strconv.Itoa(n))
			fmt.Println(n)
		}
	}
	fmt.Println("failed", err)
}

func crashPass(ctx context.Context, m *mirror.Mirror, n int) error {
	p, err := m.Writer().Begin(ctx, 1, eng)
	if err != nil {
		return err
	}
	clause := free
	if n%2 == 1 {
		clause = onlyA
	}
	if err := p.Grants([]guard.Principal{group("gs")}, false); err != nil {
		return err
	}
	for i := range crashPages {
		if err := p.Observe(page(fmt.Sprint(i), "", clause)); err != nil {
			return err
		}
	}
	if _, err := p.Tighten(ctx, true); err != nil {
		return err
	}
	for from := 0; from < crashPages; from += 10 {
		var some []mirror.Content
		for i := from; i < from+10; i++ {
			some = append(some, content(fmt.Sprint(i), n))
		}
		if _, err := p.Put(ctx, some, fmt.Sprintf("%d:%d", n, from+10)); err != nil {
			return err
		}
	}
	if err := p.Loosen(ctx); err != nil {
		return err
	}
	return p.End(ctx, "{}")
}

// Rows 36 and 37: whatever moment the process dies at, what it said is there, no
// batch is half there, and nobody sees what he may not.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	m, err := mirror.Open(context.Background(), mirror.Config{Dir: dir, Now: noon})
	require.NoError(t, err)
	b := &box{Mirror: m, t: t, ctx: context.Background(), dir: dir}
	b.people()
	require.NoError(t, m.Close())
	r := rand.New(rand.NewPCG(37, 0))
	const kills = 20
	passes := 0
	for range kills {
		said := killed(t, dir, r.IntN(2), time.Duration(r.IntN(60_000))*time.Microsecond)
		passes = max(passes, checkAfterKill(t, dir, said))
	}
	t.Logf("%d kills during %d passes", kills, passes)
	require.Greater(t, passes, 3)
}

// killed runs the victim, kills it some time after it finished a number of
// passes, and gives the last pass it finished.
func killed(t *testing.T, dir string, passes int, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines, last := bufio.NewScanner(out), ""
	for range 1 + passes {
		require.True(t, lines.Scan())
		last = lines.Text()
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may be gone already
	defer timer.Stop()
	for lines.Scan() {
		last = lines.Text()
	}
	require.Error(t, cmd.Wait(), "killed")
	n, err := strconv.Atoi(strings.TrimPrefix(last, "open "))
	require.NoError(t, err, last)
	return n
}

func checkAfterKill(t *testing.T, dir string, said int) int {
	t.Helper()
	b := open(t, dir)
	require.NoError(t, b.Check(b.ctx))
	require.Zero(t, b.Damaged())
	finished, err := b.Writer().Mark(b.ctx, 1, "finished")
	require.NoError(t, err)
	n, _ := strconv.Atoi(finished)
	require.GreaterOrEqual(t, n, said, "what was said to be finished")
	if n == 0 {
		return 0
	}
	all, err := b.Follower().All(b.ctx, 0, 1000)
	require.NoError(t, err)
	require.Len(t, all, crashPages)
	newest, mixed := 0, map[int]int{}
	for _, p := range all {
		mixed[p.Version.Number]++
		newest = max(newest, p.Version.Number)
		require.GreaterOrEqual(t, p.Version.Number, n)
		seen, err := b.Page(b.ctx, who("bob"), mirror.Ref{ID: p.ID})
		if err == nil {
			require.Zero(t, seen.Version.Number%2, "the secret of pass %d", seen.Version.Number)
		}
		_, err = b.Page(b.ctx, who("ann"), mirror.Ref{ID: p.ID})
		require.NoError(t, err)
	}
	require.LessOrEqual(t, newest, n+1)
	require.Zero(t, mixed[newest]%10, "batches are whole: %v", mixed)
	mark, err := b.Writer().Mark(b.ctx, 1, "space:100")
	require.NoError(t, err)
	var pass, upTo int
	_, err = fmt.Sscanf(mark, "%d:%d", &pass, &upTo)
	require.NoError(t, err)
	require.Equal(t, newest, pass)
	require.LessOrEqual(t, upTo, mixed[newest], "a pass that is done again starts at the first batch")
	require.Zero(t, upTo%10)
	changes, err := b.Follower().Changes(b.ctx, 0, 1_000_000)
	require.NoError(t, err)
	require.Len(t, changes, (newest-1)*crashPages+mixed[newest], "one change for each page that was put")
	return n
}
