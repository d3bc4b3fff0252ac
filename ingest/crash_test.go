package ingest_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

var (
	kills     = flag.Int("kills", 20, "how often the process is killed during a sync")
	killPages = flag.Int("kill-pages", 300, "how many pages the site of the kill test has")
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
	s, err := ingest.New(ingest.Config{Integration: guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced}, BlogPosts: true,
		Source: client, Mirror: &doomed{target: target{m.Writer()}, point: os.Getenv(victimPoint)}})
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
		_, peak := memory()
		fmt.Println("pass", r.Complete, r.Read, int(peak))
	}
}

// doomed is a mirror that kills the process at one named point.
type doomed struct {
	target
	point string
	count map[string]int
}

// at dies when the point is the one that was named: "put:after:3".
func (d *doomed) at(name string) {
	if d.count == nil {
		d.count = map[string]int{}
	}
	d.count[name]++
	if d.point == name+":"+strconv.Itoa(d.count[name]) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (d *doomed) around(name string, do func() error) error {
	d.at(name + ":before")
	err := do()
	d.at(name + ":after")
	return err
}

func (d *doomed) Begin(ctx context.Context, integration int64, sp confluence.Space) (p ingest.Pass, err error) {
	err = d.around("begin", func() (err error) { p, err = d.target.Begin(ctx, integration, sp); return err })
	return &doomedPass{p, d}, err
}

func (d *doomed) SetPeople(ctx context.Context, people []ingest.Person) error {
	return d.around("people", func() error { return d.target.SetPeople(ctx, people) })
}

func (d *doomed) SetGroups(ctx context.Context, groups []guard.Membership) error {
	return d.around("groups", func() error { return d.target.SetGroups(ctx, groups) })
}

func (d *doomed) SetIntegration(ctx context.Context, i guard.Integration) error {
	return d.around("integration", func() error { return d.target.SetIntegration(ctx, i) })
}

func (d *doomed) SetMark(ctx context.Context, integration int64, name, v string) error {
	return d.around("mark", func() error { return d.target.SetMark(ctx, integration, name, v) })
}

type doomedPass struct {
	ingest.Pass
	d *doomed
}

func (p *doomedPass) Tighten(ctx context.Context, complete bool) (v ingest.Vanished, err error) {
	err = p.d.around("tighten", func() (err error) { v, err = p.Pass.Tighten(ctx, complete); return err })
	return v, err
}

func (p *doomedPass) Again(ctx context.Context, nodes ...ingest.Node) error {
	return p.d.around("again", func() error { return p.Pass.Again(ctx, nodes...) })
}

func (p *doomedPass) Put(ctx context.Context, pages []ingest.Content, mark string) (n int, err error) {
	err = p.d.around("put", func() (err error) { n, err = p.Pass.Put(ctx, pages, mark); return err })
	return n, err
}

func (p *doomedPass) Loosen(ctx context.Context) error {
	return p.d.around("loosen", func() error { return p.Pass.Loosen(ctx) })
}

func (p *doomedPass) End(ctx context.Context, report string) error {
	return p.d.around("end", func() error { return p.Pass.End(ctx, report) })
}

// points are the named moments to die at.
func points() []string {
	var out []string
	for _, name := range []string{"integration", "groups", "people", "begin", "tighten", "put", "again", "loosen", "end", "mark"} {
		for _, when := range []string{"before", "after"} {
			for n := 1; n <= 3; n++ {
				out = append(out, name+":"+when+":"+strconv.Itoa(n))
			}
		}
	}
	return out
}

// Rows 36 and 37: the process is killed at every named point and at any moment.
// Afterwards nobody sees what he may not, nothing is half there, and when a pass
// has ended undisturbed the mirror is the site.
func TestFaultRow37KilledAtAnyMoment(t *testing.T) {
	e := startLarge(t, bigSite(*killPages, 60))
	b := boxOf(t, e, e.url)
	require.NoError(t, b.Close())
	users := []string{"u-ann", "u-bob", "u-cid", "u-dan"}
	r := rand.New(rand.NewPCG(37, 0))
	named := points()
	r.Shuffle(len(named), func(i, j int) { named[i], named[j] = named[j], named[i] })
	full := time.Second * time.Duration(1+*killPages/2000)
	var allowed []map[string]map[string]int // what the site showed since the last pass that ended
	var opened []time.Duration
	hit, passes, read, peak := 0, 0, 0, 0
	for n := range *kills {
		if n > 0 {
			e.Apply(damage(r, n, *killPages)...)
		}
		allowed = append(allowed, b.shown(users))
		point := ""
		if n%2 == 0 && n/2 < len(named) {
			point = named[n/2]
		}
		said, took := b.killed(point, time.Duration(r.Int64N(int64(full*3/2))))
		for _, line := range said {
			if strings.HasPrefix(line, "pass true") {
				passes++
				allowed = allowed[len(allowed)-1:]
			}
			var ok bool
			var bodies, mib int
			if _, err := fmt.Sscanf(line, "pass %t %d %d", &ok, &bodies, &mib); err == nil {
				read += bodies
				peak = max(peak, mib)
			}
		}
		if point != "" && took == 0 {
			hit++
		}
		at := time.Now()
		m, err := mirror.Open(t.Context(), mirror.Config{Dir: b.dir, Now: time.Now})
		require.NoError(t, err)
		opened = append(opened, time.Since(at))
		b.Mirror = m
		require.NoError(t, m.Check(t.Context()))
		require.Zero(t, m.Damaged())
		leaked(t, b, users, allowed)
		require.NoError(t, m.Close())
		if t.Failed() {
			return
		}
	}
	slices.Sort(opened)
	t.Logf("%d kills on %d pages, %d at named points; %d passes ended in between, %d bodies read in them; 0 leaked; the sync took at most %d MiB; opening again: median %v, worst %v",
		*kills, *killPages, hit, passes, read, peak, opened[len(opened)/2], opened[len(opened)-1])
	b.undisturbed(users)
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

func leaked(t *testing.T, b *box, callers []string, allowed []map[string]map[string]int) {
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
		after = 20 * time.Second // it dies by itself, or the point is not on its way
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
