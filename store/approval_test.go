package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store"
)

var _ interface {
	approval.Book
} = (*store.Precious)(nil)

func asked(principal, digest string) approval.Request {
	return approval.Open(approval.Request{Digest: digest, CallID: "call-" + digest, Tool: "confluence_update_page", Summary: "change page 1",
		Requester: approval.Person{Principal: principal, Agent: "bot", Owner: "it"},
		Private:   approval.Private{Args: json.RawMessage(`{"page_id":"1"}`), Diff: "-a\n+b", Caller: identity.Caller{Agent: "bot", Kind: identity.User, AccountID: "u-ann"}}}, clock(), 0)
}

func add(t *testing.T, p *store.Precious, r approval.Request) approval.Request {
	t.Helper()
	kept, made, err := p.AddApproval(context.Background(), r)
	require.NoError(t, err)
	require.True(t, made)
	return kept
}

func step(t *testing.T, p *store.Precious, r approval.Request, e approval.Event) approval.Request {
	t.Helper()
	next, changed, err := r.Apply(e)
	require.NoError(t, err)
	require.True(t, changed)
	require.NoError(t, p.StepApproval(context.Background(), r, next, e))
	return next
}

func yes(r approval.Request) approval.Event {
	return approval.Event{Word: approval.Approve, At: clock(), By: approval.Person{Principal: "boss"}, Right: true, Digest: r.Digest}
}

func TestApprovalSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	p, err := store.OpenPrecious(context.Background(), dir, clock)
	require.NoError(t, err)
	r := step(t, p, add(t, p, asked("bot", "d1")), approval.Event{Word: approval.Reject, At: clock(), By: approval.Person{Principal: "boss"}, Right: true, Reason: "no"})
	require.NoError(t, p.Close())
	p, err = store.OpenPrecious(context.Background(), dir, clock)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	again, err := p.Approval(context.Background(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, again)
	latest, err := p.LatestApproval(context.Background(), r.CallID)
	require.NoError(t, err)
	assert.Equal(t, r, latest)
	last, err := p.ApprovalClock(context.Background())
	require.NoError(t, err)
	assert.Equal(t, clock(), last)
}

func TestTheSameChangeIsAskedForOnce(t *testing.T) {
	p := open(t, t.TempDir())
	r := add(t, p, asked("bot", "d1"))
	kept, made, err := p.AddApproval(context.Background(), asked("bot", "d1"))
	require.NoError(t, err)
	assert.False(t, made)
	assert.Equal(t, r.ID, kept.ID)
	other := add(t, p, asked("bob", "d1"))
	assert.NotEqual(t, r.ID, other.ID, "another principal's request is its own")
	step(t, p, r, approval.Event{Word: approval.Outdate, At: clock()})
	add(t, p, asked("bot", "d1"))
}

func TestOpenRequestsOfAPrincipalAreCapped(t *testing.T) {
	p := open(t, t.TempDir())
	for n := range approval.MaxPending {
		add(t, p, asked("bot", fmt.Sprint("d", n)))
	}
	_, _, err := p.AddApproval(context.Background(), asked("bot", "one more"))
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "approval.too_many", e.StableCode())
	add(t, p, asked("bob", "d"))
	list, err := p.Approvals(context.Background(), approval.Filter{Principal: "bot", States: []approval.State{approval.Pending}, Limit: 1000})
	require.NoError(t, err)
	assert.Len(t, list, approval.MaxPending)
	assert.Empty(t, list[0].Private, "a list holds nothing private")
	for late, want := range map[time.Duration]int{23 * time.Hour: 0, 24 * time.Hour: approval.MaxPending + 1} {
		list, err = p.Approvals(context.Background(), approval.Filter{Late: clock().Add(late), Limit: 1000})
		require.NoError(t, err)
		assert.Len(t, list, want)
	}
}

// H03 at the database: of 100 who take the same step, one does.
func TestH03_AStepIsTakenOnce(t *testing.T) {
	p := open(t, t.TempDir())
	r := step(t, p, add(t, p, asked("bot", "d1")), approval.Event{Word: approval.Approve, At: clock(), By: approval.Person{Principal: "boss"}, Right: true, Digest: "d1"})
	var won atomic.Int32
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			e := approval.Event{Word: approval.Claim, At: clock(), Right: true, Attempt: fmt.Sprint("a", n)}
			next, _, err := r.Apply(e)
			if assert.NoError(t, err) {
				if err := p.StepApproval(context.Background(), r, next, e); err == nil {
					won.Add(1)
				} else {
					assert.Equal(t, confluence.Conflict, confluence.KindOf(err))
				}
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())
}

func TestEveryStepIsALineOfTheAuditLog(t *testing.T) {
	p := open(t, t.TempDir())
	r := add(t, p, asked("bot", "d1"))
	step(t, p, r, yes(r))
	var lines []string
	require.NoError(t, p.AuditLines(context.Background(), 0, func(_ int64, line string) error {
		lines = append(lines, line)
		return nil
	}))
	require.Len(t, lines, 2)
	assert.Contains(t, lines[0], `"to":"pending"`)
	assert.Contains(t, lines[1], `"to":"approved"`)
	assert.Contains(t, lines[1], `"principal":"boss"`)
	_, err := p.VerifyAudit(context.Background(), nil)
	assert.NoError(t, err)
}

// A step whose line cannot be kept is not taken.
func TestStepWithoutAuditLineIsNotTaken(t *testing.T) {
	p := open(t, t.TempDir())
	r := add(t, p, asked("bot", "d1"))
	require.NoError(t, store.Exec(p, "CREATE TRIGGER no_lines BEFORE INSERT ON audit_line BEGIN SELECT RAISE(ABORT, 'full'); END"))
	next, _, err := r.Apply(yes(r))
	require.NoError(t, err)
	require.Error(t, p.StepApproval(context.Background(), r, next, yes(r)))
	kept, err := p.Approval(context.Background(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, kept)
	_, _, err = p.AddApproval(context.Background(), asked("bot", "d2"))
	require.Error(t, err)
}

func TestEndsDoNotChangeWhateverIsTried(t *testing.T) {
	p := open(t, t.TempDir())
	r := add(t, p, asked("bot", "d1"))
	step(t, p, r, approval.Event{Word: approval.Outdate, At: clock()})
	assert.ErrorContains(t, store.Exec(p, "UPDATE approval SET state = 'approved'"), "has ended")
	assert.ErrorContains(t, store.Exec(p, "DELETE FROM approval"), "are kept")
}

func TestBodiesAreForgottenAfterTheEnd(t *testing.T) {
	dir := t.TempDir()
	p, err := store.OpenPrecious(context.Background(), dir, clock)
	require.NoError(t, err)
	ended, waiting := asked("bot", "d1"), asked("bot", "d2")
	ended.Private.Diff = "canary-4471"
	step(t, p, add(t, p, ended), approval.Event{Word: approval.Outdate, At: clock()})
	add(t, p, waiting)
	n, err := p.ForgetApprovals(context.Background(), clock())
	require.NoError(t, err)
	assert.Zero(t, n, "not before its time")
	n, err = p.ForgetApprovals(context.Background(), clock().Add(time.Second))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	r, err := p.Approval(context.Background(), ended.ID)
	require.NoError(t, err)
	assert.Empty(t, r.Private)
	assert.Equal(t, approval.Stale, r.State)
	r, err = p.Approval(context.Background(), waiting.ID)
	require.NoError(t, err)
	assert.NotEmpty(t, r.Private.Diff)
	require.NoError(t, p.Close())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		assert.NotContains(t, string(b), "canary-4471", f.Name())
	}
}

func TestNobodyElsesApproval(t *testing.T) {
	_, err := open(t, t.TempDir()).Approval(context.Background(), "00")
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	_, err = open(t, t.TempDir()).LatestApproval(context.Background(), "x")
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
}
