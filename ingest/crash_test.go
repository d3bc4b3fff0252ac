package ingest_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

var (
	kills     = flag.Int("kills", 20, "how often the process is killed during a sync")
	killPages = flag.Int("kill-pages", 1000, "how many pages the site of the kill test has")
)

// What the victim of the kill test is told.
const (
	victimDir   = "SYNC_VICTIM_FOLDER"
	victimURL   = "SYNC_VICTIM_SITE"
	victimPoint = "SYNC_VICTIM_POINT" // an operation of the mirror, when, and the how manieth
)

// TestMain is the victim when it is told a folder.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Println("failed", victim(dir, os.Getenv(victimURL)))
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// victim makes passes until it is killed, and tells each.
func victim(dir, url string) error {
	ctx := context.Background()
	m, err := mirror.Open(ctx, mirror.Config{Dir: dir, Now: time.Now})
	if err != nil {
		return err
	}
	client, err := rest.New(rest.Config{Name: "acme", BaseURL: url, Auth: rest.Basic, Username: "bot@acme.test", Token: seal.NewSecret("bot-token")})
	if err != nil {
		return err
	}
	d := &doom{point: os.Getenv(victimPoint)}
	x, err := index.Open(ctx, index.Config{Dir: dir, Log: doomedLog{m.Follower(), d}, Now: time.Now})
	if err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	go follow(ctx, x, changed)
	s, err := ingest.New(ingest.Config{Integration: guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced}, BlogPosts: true,
		Source: client, Mirror: &doomed{connections.Filling{Writer: m.Writer()}, d}, Changed: func() { wake(changed) }})
	if err != nil {
		return err
	}
	fmt.Println("open")
	for n := 0; ; n++ {
		full := s.Status().Full.IsZero() || n%2 == 1
		r, err := s.Now(ctx, full, nil)
		if err != nil {
			return err
		}
		if err := x.Follow(ctx); err != nil {
			return err
		}
		_, peak := memory()
		fmt.Println("pass", r.Complete, r.Read, int(peak))
	}
}

// siege is a folder whose process is killed again and again while its site
// changes.
type siege struct {
	e       *large
	b       *box
	users   []string
	r       *rand.Rand
	allowed []map[string]map[string]int // what the site showed since the last pass that ended
	opened  []time.Duration

	pages                          int
	kills, hit, passes, read, peak int
}

func besiege(t *testing.T, pages int, seed uint64) *siege {
	t.Helper()
	e := startLarge(t, bigSite(pages, 60))
	s := &siege{e: e, b: boxOf(t, e, e.url), pages: pages, users: []string{"u-ann", "u-bob", "u-cid", "u-dan"}, r: rand.New(rand.NewPCG(seed, 0))}
	require.NoError(t, s.b.Close())
	return s
}

// strike changes the site, kills a process at a point or, without one, after a
// time, and holds that what is left is whole: no partial page, no damage, nothing
// shown that the site did not show, an index that opens. It tells whether the
// process died at the point.
func (s *siege) strike(point string, after time.Duration) bool {
	t := s.b.t
	t.Helper()
	s.kills++
	if s.kills > 1 {
		s.e.Apply(damage(s.r, s.kills, s.pages)...)
	}
	s.allowed = append(s.allowed, s.b.shown(s.users))
	said, took := s.b.killed(point, after)
	for _, line := range said {
		var whole bool
		var bodies, mib int
		if _, err := fmt.Sscanf(line, "pass %t %d %d", &whole, &bodies, &mib); err == nil {
			s.read += bodies
			s.peak = max(s.peak, mib)
		}
		if whole {
			s.passes++
			s.allowed = s.allowed[len(s.allowed)-1:]
		}
	}
	at := time.Now()
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: s.b.dir, Now: time.Now})
	require.NoError(t, err)
	x, err := index.Open(t.Context(), index.Config{Dir: s.b.dir, Log: m.Follower(), Now: time.Now})
	require.NoError(t, err)
	s.opened = append(s.opened, time.Since(at))
	assert.Empty(t, x.Status().Damage, "the index opens whole")
	require.NoError(t, x.Close())
	s.b.Mirror = m
	require.NoError(t, m.Check(t.Context()))
	require.Zero(t, m.Damaged())
	leaked(s.b.t, s.b, s.users, s.allowed)
	require.NoError(t, m.Close())
	if point != "" && took == 0 {
		s.hit++
		return true
	}
	return false
}

// lift ends a siege: a pass that is not disturbed makes the mirror the site and
// the index the mirror.
func (s *siege) lift() {
	slices.Sort(s.opened)
	s.b.t.Logf("%d kills on %d pages, %d at named points; %d passes ended in between, %d bodies read in them; 0 leaked; the sync took at most %d MiB; opening again: median %v, worst %v",
		s.kills, s.pages, s.hit, s.passes, s.read, s.peak, s.opened[len(s.opened)/2], s.opened[len(s.opened)-1])
	s.b.undisturbed(s.users)
}

// Row 36: the process is killed at every named point of a pass, the first time it
// comes by, and three times each where that is wanted.
func TestFaultRow36KilledAtEveryPoint(t *testing.T) {
	times := 1
	if *thorough {
		times = 3
	}
	s := besiege(t, *killPages, 36)
	hits := map[string]int{}
	for _, point := range moments(times, ofAPass()...) {
		name, _, _ := strings.Cut(point, ":")
		if s.strike(point, 0) {
			hits[name]++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("died at: %v", hits)
	for _, name := range ofAPass() {
		assert.Positive(t, hits[name], "nobody comes by %s", name)
	}
	s.lift()
}

// Row 37: the process is killed at any moment, every second time at a named one.
func TestFaultRow37KilledAtAnyMoment(t *testing.T) {
	s := besiege(t, *killPages, 37)
	named := moments(3, ofAPass()...)
	s.r.Shuffle(len(named), func(i, j int) { named[i], named[j] = named[j], named[i] })
	full := time.Second * time.Duration(1+*killPages/2000)
	for n := range *kills {
		point := ""
		if n%2 == 0 && n/2 < len(named) {
			point = named[n/2]
		}
		s.strike(point, time.Duration(s.r.Int64N(int64(full*3/2))))
		if t.Failed() {
			return
		}
	}
	s.lift()
}

// Row 38: the process dies when rows are committed and their documents are not.
// The number of the last change stands in the index itself, so it goes on there:
// rows are documents.
func TestFaultRow38KilledBetweenRowsAndIndex(t *testing.T) {
	times := 1
	if *thorough {
		times = 3
	}
	s := besiege(t, 260, 38)
	ctx := t.Context()
	for _, point := range moments(times, "log-range", "log-all", "log-changes", "log-page") {
		if strings.HasPrefix(point, "log-all") {
			require.NoError(t, os.RemoveAll(filepath.Join(s.b.dir, index.Folder))) // it is read to build one anew
		}
		s.e.Apply(line(`{"kind":"content","id":"10001","version":%d,"storage":"<p>Words of kill %d.</p>"}`, 100+s.kills, s.kills))
		require.True(t, s.strike(point, 0), "nobody comes by %s", point)
		m, err := mirror.Open(ctx, mirror.Config{Dir: s.b.dir, Now: time.Now})
		require.NoError(t, err)
		x, err := index.Open(ctx, index.Config{Dir: s.b.dir, Log: m.Follower(), Now: time.Now})
		require.NoError(t, err)
		was := x.Status()
		require.NoError(t, x.Follow(ctx))
		r, err := x.Check(ctx)
		require.NoError(t, err)
		assert.True(t, r.Sound(), "%s: %+v", point, r)
		_, last, err := m.Follower().Range(ctx)
		require.NoError(t, err)
		assert.Equal(t, last, x.Status().Seq, point)
		t.Logf("%s: %d behind, rebuilding %t; then %d rows, %d documents", point, was.Behind, was.Rebuilding, r.Rows, r.Documents)
		require.NoError(t, errors.Join(x.Close(), m.Close()))
	}
	s.lift()
}

// undisturbed makes a pass that is not killed, and everything is as it is.
func (b *box) undisturbed(callers []string) {
	b.t.Helper()
	m, err := mirror.Open(b.t.Context(), mirror.Config{Dir: b.dir, Now: time.Now})
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, m.Close()) }()
	b.Mirror = m
	b.sync = b.newSync(func(c *ingest.Config, _ *rest.Config) { c.Now = time.Now })
	for range 3 { // what is gone is hidden, then removed
		b.pass(false)
	}
	want, got, twice := b.truth("u-bot", false), map[string]int{}, 0
	all, err := b.Follower().All(b.t.Context(), 0, 1_000_000)
	require.NoError(b.t, err)
	lost, different := 0, 0
	for _, p := range all {
		got[p.ID]++
		twice += got[p.ID] - 1
		full, there, err := b.Follower().Page(b.t.Context(), p.Index)
		require.NoError(b.t, err)
		f, is := want[p.ID]
		if !there || !is || f.version != full.Version.Number || f.title != full.Title || full.Body == "" || full.Text == "" {
			different++
		}
	}
	for id := range want {
		if got[id] == 0 {
			lost++
		}
	}
	assert.Equal(b.t, len(want), len(got))
	for _, u := range callers {
		truth := b.truth(u, false)
		assert.Len(b.t, b.seen(who(u)), len(truth), u)
	}
	b.t.Logf("rows = truth: %d pages, %d lost, %d twice, %d different", len(got), lost, twice, different)
	assert.Zero(b.t, lost+twice+different)
	b.indexed()
}

// indexed holds that every row is a document and every document a row.
func (b *box) indexed() {
	b.t.Helper()
	x, err := index.Open(b.t.Context(), index.Config{Dir: b.dir, Log: b.Follower(), Now: time.Now})
	require.NoError(b.t, err)
	defer func() { assert.NoError(b.t, x.Close()) }()
	require.NoError(b.t, x.Follow(b.t.Context()))
	r, err := x.Check(b.t.Context())
	require.NoError(b.t, err)
	assert.True(b.t, r.Sound(), "%+v", r)
	b.t.Logf("documents = rows: %d documents, %d rows, %d missing, %d extra, %d twice, %d stale", r.Documents, r.Rows, len(r.Missing), len(r.Extra), len(r.Twice), len(r.Stale))
}

// damage is a handful of changes of the site.
func damage(r *rand.Rand, n, pages int) []string {
	page := func() int { return 10_000 + 3 + r.IntN(pages-3) }
	list := []string{``, `"group:A"`, `"group:B"`}[r.IntN(3)]
	out := []string{
		line(`{"kind":"content","id":"%d","version":%d,"storage":"<p>Words of round %d.</p>","read":[%s]}`, page(), n+1, n, list),
		line(`{"kind":"content","id":"%d","read":[%s]}`, page(), list),
		line(`{"kind":"content","id":"%d","labels":["round%d"]}`, page(), n),
		line(`{"kind":"content","id":"%d","type":"page","space":"ENG","parent":"10000","title":"New %d","storage":"<p>New.</p>","read":[%s]}`, 2_000_000+n, n, list),
	}
	groups := []string{`"staff"`, `"staff","A"`, `"A"`, `"staff","A","B"`}
	return append(out, line(`{"kind":"user","id":"u-bob","email":"bob@acme.test","token":"bob-token","groups":[%s]}`, groups[r.IntN(4)]))
}

// shown is what the site shows to whom now: user, page, version.
func (b *box) shown(callers []string) map[string]map[string]int {
	out := map[string]map[string]int{}
	for _, u := range callers {
		out[u] = map[string]int{}
		for id, f := range b.truth(u, false) {
			out[u][id] = f.version
		}
	}
	return out
}

func leaked(t testing.TB, b *box, callers []string, allowed []map[string]map[string]int) {
	t.Helper()
	for _, u := range callers {
		p := confluence.Paging{Limit: 250}
		for {
			l, err := b.Mirror.Pages(t.Context(), who(u), mirror.Filter{}, p)
			require.NoError(t, err)
			for _, page := range l.Items {
				ok := slices.ContainsFunc(allowed, func(at map[string]map[string]int) bool {
					version, may := at[u][page.ID]
					return may && page.Version.Number <= version
				})
				assert.True(t, ok, "%s is shown %s in version %d", u, page.ID, page.Version.Number)
			}
			if l.Next == "" {
				break
			}
			p.Cursor = l.Next
		}
	}
}

// killed runs the victim and kills it after a time, or lets it die at a point;
// took is 0 when it died there.
func (b *box) killed(point string, after time.Duration) (said []string, took time.Duration) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+b.dir, victimURL+"="+b.URL, victimPoint+"="+point)
	out, err := cmd.StdoutPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(b.t, lines.Scan())
	if point != "" {
		after = time.Minute // it dies by itself, or the point is not on its way
	}
	fired := make(chan struct{})
	timer := time.AfterFunc(after, func() { close(fired); _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines.Scan() {
		said = append(said, lines.Text())
		if point != "" && len(said) == 3 {
			_ = cmd.Process.Kill() // three passes did not come by it
		}
	}
	require.Error(b.t, cmd.Wait(), "killed")
	for _, s := range said {
		require.False(b.t, strings.HasPrefix(s, "failed"), s)
	}
	select {
	case <-fired:
		return said, after
	default:
	}
	if len(said) >= 3 && point != "" {
		return said, after
	}
	return said, 0
}
