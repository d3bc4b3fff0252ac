package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/store"
)

// calls files n calls, each with its outcome: 2n lines.
func calls(t testing.TB, p *store.Precious, n int) {
	t.Helper()
	for i := range n {
		e := entry(fmt.Sprintf("%032x", i))
		e.Time = clock().Add(time.Duration(i) * time.Minute)
		id, err := p.Begin(context.Background(), e)
		require.NoError(t, err)
		require.NoError(t, p.Finish(context.Background(), id, audit.Outcome{Result: audit.OK}))
	}
}

func brokenAt(t *testing.T, err error) int64 {
	t.Helper()
	var b *audit.Broken
	require.ErrorAs(t, err, &b)
	return b.Seq
}

// file gives the bytes of a database with n calls in it.
func file(t *testing.T, n int) []byte {
	t.Helper()
	dir := t.TempDir()
	p, err := store.OpenPrecious(context.Background(), dir, clock)
	require.NoError(t, err)
	calls(t, p, n)
	require.NoError(t, p.Close())
	whole, err := os.ReadFile(filepath.Join(dir, store.PreciousFile))
	require.NoError(t, err)
	return whole
}

func TestVerifyFindsTamperingInTheDatabase(t *testing.T) {
	whole := file(t, 700)
	for name, c := range map[string]struct {
		statement string
		line      int64
	}{
		"a refusal made an allow": {`UPDATE audit_line SET line = replace(line, '"effect":"allow"', '"effect":"deny"') WHERE seq = 701`, 701},
		"an outcome":              {`UPDATE audit_line SET line = replace(line, '"ok"', '"error"') WHERE seq = 702`, 702},
		"not JSON any more":       {`UPDATE audit_line SET line = '{}' WHERE seq = 3`, 3},
		"the first removed":       {`DELETE FROM audit_line WHERE seq = 1`, 1},
		"one removed":             {`DELETE FROM audit_line WHERE seq = 700`, 700},
		"the last removed":        {`DELETE FROM audit_line WHERE seq = 1400`, 1400},
		"the end cut off":         {`DELETE FROM audit_line WHERE seq > 1000`, 1001},
		"all removed":             {`DELETE FROM audit_line`, 1},
		"the end cut off, head set back without its hash": {`DELETE FROM audit_line WHERE seq > 1000; UPDATE audit_head SET seq = 1000`, 1000},
		"two swapped":             {`UPDATE audit_line SET seq = -1 WHERE seq = 10; UPDATE audit_line SET seq = 10 WHERE seq = 20; UPDATE audit_line SET seq = 20 WHERE seq = -1`, 10},
		"one moved to the front":  {`UPDATE audit_line SET seq = -5 WHERE seq = 10`, 1},
		"renumbered after a hole": {`DELETE FROM audit_line WHERE seq = 10; UPDATE audit_line SET seq = -seq WHERE seq > 10; UPDATE audit_line SET seq = -seq - 1 WHERE seq < 0`, 10},
		"one added":               {`INSERT INTO audit_line(seq, line) VALUES (1401, '{}')`, 1401},
		"the head removed":        {`DROP TRIGGER audit_head_stay; DELETE FROM audit_head`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, store.PreciousFile), whole, 0o600))
			p := open(t, dir)
			head, err := p.VerifyAudit(context.Background(), nil)
			require.NoError(t, err)
			assert.EqualValues(t, 1400, head.Seq)
			require.NoError(t, store.Tamper(p, c.statement))
			_, err = p.VerifyAudit(context.Background(), []audit.Head{head})
			assert.Equal(t, c.line, brokenAt(t, err), "%v", err)
		})
	}
}

// The end cut off together with the head is what the log itself can't show.
func TestAnchorShowsALogThatWasSetBack(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	calls(t, p, 5)
	anchor, err := p.AuditHead(ctx)
	require.NoError(t, err)
	require.NoError(t, store.Tamper(p, "DELETE FROM audit_line WHERE seq > 6", "UPDATE audit_head SET seq = 6, hash = (SELECT line ->> '$.hash' FROM audit_line WHERE seq = 6)"))
	_, err = p.VerifyAudit(ctx, nil)
	assert.NoError(t, err, "nothing inside the database shows it")
	_, err = p.VerifyAudit(ctx, []audit.Head{anchor})
	assert.EqualValues(t, 7, brokenAt(t, err))
}

// Row 47 of the faults, for the log: whatever byte of a line changes on disk,
// verify says so.
func TestFlippedByteOnDiskIsFound(t *testing.T) {
	ctx, whole := context.Background(), file(t, 50)
	random, found := rand.New(rand.NewPCG(3, 4)), 0
	const tries = 100
	for i := range tries {
		mark := fmt.Appendf(nil, `{"seq":%d,`, i+1)
		from := bytes.LastIndex(whole, mark)
		require.Positive(t, from)
		length := bytes.Index(whole[from:], []byte(`"}`)) + 2
		flipped := bytes.Clone(whole)
		flipped[from+random.IntN(length)] ^= byte(1 << random.IntN(8))
		other := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.Mkdir(other, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(other, store.PreciousFile), flipped, 0o600))
		p, err := store.OpenPrecious(ctx, other, clock)
		require.NoError(t, err)
		_, err = p.VerifyAudit(ctx, nil)
		if assert.EqualValues(t, i+1, brokenAt(t, err)) {
			found++
		}
		require.NoError(t, p.Close())
	}
	t.Logf("%d of %d flipped bytes found, each at its line", found, tries)
}

// The rest of row 47: a flip anywhere in the file is reported by opening,
// verifying or listing it, or it changes nothing that is read.
func TestFlipAnywhereIsReportedOrHarmless(t *testing.T) {
	ctx, whole := context.Background(), file(t, 30)
	read := func(p *store.Precious) (lines []string, calls []store.Recorded, err error) {
		if _, err = p.VerifyAudit(ctx, nil); err != nil {
			return nil, nil, err
		}
		if err = p.AuditLines(ctx, 0, func(_ int64, l string) error { lines = append(lines, l); return nil }); err != nil {
			return nil, nil, err
		}
		calls, err = p.Audit(ctx, store.AuditFilter{})
		return lines, calls, err
	}
	try := func(content []byte) (lines []string, calls []store.Recorded, err error) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, store.PreciousFile), content, 0o600))
		p, err := store.OpenPrecious(ctx, dir, clock)
		if err != nil {
			return nil, nil, err
		}
		lines, calls, err = read(p)
		_ = p.Close() // may well fail on a file like that
		return lines, calls, err
	}
	lines, calls, err := try(whole)
	require.NoError(t, err)
	random, reported := rand.New(rand.NewPCG(5, 6)), 0
	const tries = 300
	for range tries {
		flipped := bytes.Clone(whole)
		place := random.IntN(len(flipped))
		flipped[place] ^= byte(1 << random.IntN(8))
		gotLines, gotCalls, err := try(flipped)
		if err != nil {
			reported++
			continue
		}
		assert.Equal(t, lines, gotLines, "byte %d", place)
		assert.Equal(t, calls, gotCalls, "byte %d", place)
	}
	t.Logf("%d of %d flips reported, the others changed nothing that is read", reported, tries)
}

// Row 45 of the faults: when the disk is full nothing is promised, what was
// promised is there, and the log goes on as soon as there is room.
func TestFullDiskRefusesWithoutBreakingTheChain(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	require.NoError(t, store.LimitPages(p))
	promised := int64(0)
	for i := range 2000 {
		id, err := p.Begin(ctx, entry(fmt.Sprint(i)))
		if err != nil {
			break
		}
		promised = id
	}
	require.Positive(t, promised)
	require.Less(t, promised, int64(2000), "the disk never was full")
	for range 10 {
		_, err := p.Begin(ctx, entry("more"))
		require.Error(t, err)
	}
	head, err := p.VerifyAudit(ctx, nil)
	require.NoError(t, err)
	assert.Equal(t, promised, head.Seq)
	require.NoError(t, store.Exec(p, "PRAGMA max_page_count = 100000"))
	calls(t, p, 10)
	head, err = p.VerifyAudit(ctx, nil)
	require.NoError(t, err)
	assert.Equal(t, promised+20, head.Seq)
}

func TestChainHoldsUnderParallelCallsAndReaders(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { calls(t, p, 50) })
	}
	wg.Go(func() {
		for range 20 {
			_, err := p.VerifyAudit(ctx, nil)
			assert.NoError(t, err)
		}
	})
	wg.Wait()
	head, err := p.VerifyAudit(ctx, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 800, head.Seq)
	all, err := p.Audit(ctx, store.AuditFilter{})
	require.NoError(t, err)
	assert.Len(t, all, 400)
}

func TestChainGoesOnAfterReopening(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		p, err := store.OpenPrecious(context.Background(), dir, clock)
		require.NoError(t, err)
		calls(t, p, 2)
		require.NoError(t, p.Close())
	}
	head, err := open(t, dir).VerifyAudit(context.Background(), nil)
	require.NoError(t, err)
	assert.EqualValues(t, 12, head.Seq)
}

func TestAuditFilters(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	for i := range 700 { // more than one block
		e := entry(fmt.Sprint(i))
		e.Time, e.Write, e.Principal = clock().Add(time.Duration(i)*time.Minute), i%2 == 1, "local||service|"
		if i == 3 || i == 690 {
			e.Tool, e.Principal, e.Effect, e.ResourceID, e.SpaceKey = "confluence_update_page", "helpdesk|acme|user|u-ann", "deny", "11", "HR"
		}
		_, err := p.Begin(ctx, e)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		filter store.AuditFilter
		want   []string
	}{
		"tool": {store.AuditFilter{Tool: "confluence_update_page"}, []string{"3", "690"}}, "agent": {store.AuditFilter{Agent: "helpdesk"}, []string{"3", "690"}},
		"part of an agent": {store.AuditFilter{Agent: "help"}, nil}, "principal": {store.AuditFilter{Principal: "helpdesk|acme|user|u-ann"}, []string{"3", "690"}},
		"effect": {store.AuditFilter{Effect: "deny"}, []string{"3", "690"}}, "resource": {store.AuditFilter{Resource: "11"}, []string{"3", "690"}},
		"space": {store.AuditFilter{Space: "HR"}, []string{"3", "690"}}, "limit takes the newest": {store.AuditFilter{Space: "HR", Limit: 1}, []string{"690"}},
		"since":           {store.AuditFilter{Since: clock().Add(698 * time.Minute)}, []string{"698", "699"}},
		"until":           {store.AuditFilter{Until: clock().Add(2 * time.Minute)}, []string{"0", "1"}},
		"only writes":     {store.AuditFilter{Writes: true, Until: clock().Add(4 * time.Minute)}, []string{"1", "3"}},
		"all at once":     {store.AuditFilter{Writes: true, Space: "HR", Effect: "deny", Agent: "helpdesk"}, []string{"3"}},
		"quotes are data": {store.AuditFilter{Tool: `x' OR '1'='1`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := p.Audit(ctx, c.filter)
			require.NoError(t, err)
			var ids []string
			for _, r := range got {
				ids = append(ids, r.Entry.DecisionID)
			}
			assert.Equal(t, c.want, ids)
		})
	}
}

func TestUnreadableLineIsSaidSo(t *testing.T) {
	p := open(t, t.TempDir())
	calls(t, p, 2)
	require.NoError(t, store.Tamper(p, `UPDATE audit_line SET line = '{"kind":"decided"}' WHERE seq = 1`))
	_, err := p.Audit(context.Background(), store.AuditFilter{})
	assert.ErrorContains(t, err, "line 1")
}

// BenchmarkCall is what the log costs a call, against the same two lines
// without a chain on the same disk.
func BenchmarkCall(b *testing.B) {
	ctx := context.Background()
	p, err := store.OpenPrecious(ctx, b.TempDir(), clock)
	require.NoError(b, err)
	defer func() { assert.NoError(b, p.Close()) }()
	calls(b, p, 1)
	var lines []string
	require.NoError(b, p.AuditLines(ctx, 0, func(_ int64, l string) error { lines = append(lines, l); return nil }))
	require.NoError(b, store.Exec(p, "CREATE TABLE plain(id INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT"))
	var chained, plain time.Duration
	for b.Loop() { // in turn, so that a busy machine is busy for both
		began := time.Now()
		calls(b, p, 1)
		chained += time.Since(began)
		began = time.Now()
		require.NoError(b, store.Unchained(ctx, p, lines[0], lines[1]))
		plain += time.Since(began)
	}
	b.ReportMetric(float64(chained.Microseconds())/float64(b.N), "chained-µs/call")
	b.ReportMetric(float64(plain.Microseconds())/float64(b.N), "plain-µs/call")
	b.ReportMetric(float64(chained)/float64(plain), "ratio")
}

// BenchmarkVerify is the check of a log of 10,000 lines, in lines a second.
func BenchmarkVerify(b *testing.B) {
	p, err := store.OpenPrecious(context.Background(), b.TempDir(), clock)
	require.NoError(b, err)
	defer func() { assert.NoError(b, p.Close()) }()
	calls(b, p, 5_000)
	for b.Loop() {
		head, err := p.VerifyAudit(context.Background(), nil)
		require.NoError(b, err)
		require.EqualValues(b, 10_000, head.Seq)
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
