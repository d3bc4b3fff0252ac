package ingest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// Case 37: a restriction that names more people than come at once is read to
// its end.
func TestN04_ALongRestrictionIsReadWhole(t *testing.T) {
	var lines, names []string
	for i := range 250 {
		lines = append(lines, line(`{"kind":"user","id":"u-many%d","username":"many%d","groups":["staff"]}`, i, i))
		names = append(names, line(`"user:u-many%d"`, i))
	}
	b := newBox(t, nil)
	b.Apply(lines...)
	b.Apply(line(`{"kind":"content","id":"1001","read":["user:u-bot",%s]}`, strings.Join(names, ",")))
	b.pass(true)
	assert.True(t, b.sees("u-many0", "1001"))
	assert.True(t, b.sees("u-many230", "1001"))
	assert.False(t, b.sees("u-ann", "1001"))
}

// Case 30: a group that cannot be read keeps whom it had, and is reported.
func TestAGroupThatCannotBeRead(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	b.Apply(`{"kind":"fault","match":"GET /wiki/rest/api/group/g-a/*","action":{"status":500}}`, `{"kind":"content","id":"1001","read":["group:B"]}`)
	r := b.pass(false)
	assert.True(t, b.sees("u-ann", "1002"), "she was in A, as far as is known")
	assert.False(t, b.sees("u-ann", "1001"), "the rest of the pass goes on")
	require.Len(t, r.Problems, 1)
	assert.Equal(t, "group", r.Problems[0].Code)
	p, err := b.Writer().Person(t.Context(), 1, "u-ann")
	require.NoError(t, err)
	first := p.CheckedAt
	b.clock.add(0)
	b.pass(false)
	p, err = b.Writer().Person(t.Context(), 1, "u-ann")
	require.NoError(t, err)
	assert.Equal(t, first, p.CheckedAt, "it does not become younger by that")
	b.Apply(`{"kind":"fault","clear":true}`)
	assert.Empty(t, b.pass(false).Problems)
}

// Row 33 and one bad page: it is named, keeps what the mirror has of it, and
// stops nobody.
func TestOneBadPageStopsNoPass(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	b.registered()
	for _, id := range []string{"1000", "1001", "1006", "3001"} {
		b.Apply(line(`{"kind":"content","id":"%s","version":7,"storage":"<p>New words.</p>"}`, id))
	}
	b.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/pages?*id=1001*","action":{"status":500}}`)
	r := b.pass(false)
	require.Len(t, r.Problems, 1, "%+v", r.Problems)
	assert.Equal(t, "1001", r.Problems[0].Page)
	assert.Equal(t, 3, r.Changed)
	page, err := b.Mirror.Page(t.Context(), who("u-ann"), mirror.Ref{ID: "1001"})
	require.NoError(t, err)
	assert.Equal(t, 3, page.Version.Number)
	b.Apply(`{"kind":"fault","clear":true}`, line(`{"kind":"content","id":"1006","version":8,"storage":"%s"}`, strings.Repeat("<p>", 20_000)),
		line(`{"kind":"content","id":"1005","version":8,"storage":"<p>%s</p>"}`, strings.Repeat("long ", 1_600_000)))
	r = b.pass(false)
	t.Logf("%+v", r.Problems)
	b.pass(false)
	page, err = b.Mirror.Page(t.Context(), who("u-ann"), mirror.Ref{ID: "1001"})
	require.NoError(t, err)
	assert.Equal(t, 7, page.Version.Number)
}

func TestOnlyChosenSpacesAndNoBlogPosts(t *testing.T) {
	b := newBox(t, nil, func(c *ingest.Config, _ *rest.Config) { c.Spaces, c.BlogPosts = []string{"eng"}, false })
	b.pass(true)
	assert.ElementsMatch(t, []string{"1000", "1001", "1002", "1005", "1006"}, b.seen(who("u-ann")))
	for _, r := range b.Requests(0) {
		assert.NotContains(t, r.Path, "blogposts")
		assert.NotContains(t, r.Path, "/spaces/300/")
	}
	b.sync = b.newSync(func(c *ingest.Config, _ *rest.Config) { c.Spaces = []string{"S2"} })
	b.pass(false)
	assert.ElementsMatch(t, []string{"3000", "3001", "3002"}, b.seen(who("u-ann")), "a space that is not mirrored any more is not shown")
	for range 4 {
		b.pass(false)
	}
	all, err := b.Follower().All(t.Context(), 0, 100)
	require.NoError(t, err)
	assert.Len(t, all, 3, "and then removed")
}

func TestShownToEverybody(t *testing.T) {
	b := newBox(t, nil, func(c *ingest.Config, _ *rest.Config) { c.Integration.Mode = guard.Public })
	b.pass(true)
	assert.Len(t, b.seen(public()), 13)
	b.sync = b.newSync() // rights are synced from now on
	b.pass(false)
	b.registered()
	b.clean()
}

// Case 32: what stands below a folder is shown when the folder is trusted.
func TestFoldersAreTrusted(t *testing.T) {
	b := newBox(t, nil, func(c *ingest.Config, _ *rest.Config) { c.Integration.Opaque = guard.TrustOpaque })
	b.pass(true)
	assert.True(t, b.sees("u-ann", "1011"))
	children, err := b.Children(t.Context(), who("u-ann"), mirror.Ref{ID: "1000"}, confluence.Paging{Limit: 50})
	require.NoError(t, err)
	var titles []string
	for _, c := range children.Items {
		titles = append(titles, c.Title)
	}
	assert.Contains(t, titles, "Guides")
}

// Text of other pages never gets into a page that includes them.
func TestIncludedPagesStayOutside(t *testing.T) {
	b := newBox(t, nil)
	b.Apply(`{"kind":"content","id":"1006","version":2,"storage":"<p>Mine.</p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Plans\"/></ac:link></ac:parameter></ac:structured-macro><ac:structured-macro ac:name=\"excerpt-include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Plans\"/></ac:link></ac:parameter></ac:structured-macro>"}`)
	b.pass(true)
	page, err := b.Mirror.Page(t.Context(), who("u-bob"), mirror.Ref{ID: "1006"})
	require.NoError(t, err)
	assert.Contains(t, page.Text, "Mine.")
	assert.NotContains(t, page.Text+page.Body, "zeppelin")
}

// The environment variable tells the test binary that it is the limited one.
const limited = "INGEST_TEST_LIMITED"

// Row 43: nothing more can be written. The pass stops and says why, what is
// there is served, and when there is room again the next pass goes on.
func TestFaultRow43TheDiskIsFull(t *testing.T) {
	if os.Getenv(limited) == "" { // the limit is of a process, and go test writes files too
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), limited+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "PASS")
		return
	}
	b := newBox(t, nil)
	b.pass(true)
	b.registered()
	for i := range 40 {
		b.Apply(line(`{"kind":"content","id":"%d","type":"page","space":"ENG","parent":"1000","title":"Long %d","storage":"<p>%s</p>"}`, 2000000+i, i, strings.Repeat(fmt.Sprintf("word%d ", i), 10_000)))
	}
	before := b.seen(who("u-ann"))
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: was.Max}))
	_, err := b.sync.Now(t.Context(), false, nil)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))
	require.Error(t, err)
	var e *confluence.Error
	require.True(t, errors.As(err, &e))
	assert.True(t, strings.HasPrefix(e.StableCode(), "store."), e.StableCode())
	assert.Equal(t, ingest.StateStore, b.sync.Status().State)
	assert.Subset(t, b.seen(who("u-ann")), before)
	b.neverMore()
	b.pass(false)
	b.clean()
}

// With many groups only full passes read who is in them; the others ask about
// those who asked.
func TestManyGroups(t *testing.T) {
	b := newBox(t, nil)
	for i := range 120 {
		b.Apply(line(`{"kind":"group","id":"g-more%d","name":"more %d"}`, i, i))
	}
	b.pass(true)
	b.registered()
	before := len(b.Requests(0))
	b.Apply(`{"kind":"user","id":"u-ann","email":"ann@acme.test","token":"ann-token","groups":["staff","B"]}`)
	b.pass(false)
	assert.False(t, b.sees("u-ann", "1002"))
	assert.True(t, b.sees("u-ann", "1001"))
	for _, r := range b.Requests(before) {
		assert.NotContains(t, r.Path, "membersByGroupId")
	}
	b.Apply(`{"kind":"user","id":"u-ann","email":"ann@acme.test","token":"ann-token","groups":["staff","A","B"]}`)
	b.pass(false)
	b.clean()
}

// groups are the names of those the mirror knows, by id.
func (b *box) groups() map[string]string {
	b.t.Helper()
	all, err := b.Writer().Groups(b.t.Context(), 1)
	require.NoError(b.t, err)
	out := map[string]string{}
	for _, g := range all {
		out[g.ID] = g.Name
	}
	return out
}

// Which groups there are, and what they are called, is known to every pass, with
// many of them and after a restart too.
func TestGroupsAreRenamedAndGoneWithoutAFullPass(t *testing.T) {
	b := newBox(t, nil)
	for i := range 120 {
		b.Apply(line(`{"kind":"group","id":"g-more%d","name":"more %d"}`, i, i))
	}
	b.pass(true)
	require.Equal(t, "more 5", b.groups()["g-more5"])
	b.Apply(`{"kind":"group","id":"g-more5","name":"fewer"}`, `{"kind":"delete","id":"g-more6"}`)
	b.pass(false)
	assert.Equal(t, "fewer", b.groups()["g-more5"])
	assert.NotContains(t, b.groups(), "g-more6")

	b.Apply(`{"kind":"delete","id":"g-more7"}`)
	b.sync = b.newSync()
	b.pass(false)
	assert.NotContains(t, b.groups(), "g-more7")
}
