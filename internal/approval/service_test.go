package approval_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store"
)

// world is the executor of these tests: what was written to it, and what it
// says to whoever wants to write.
type world struct {
	mu      sync.Mutex
	writes  map[string]int // by mark
	refusal approval.Event // of Prepare
	outcome approval.Event // of a commit; zero: it is done
	landed  approval.Event
	writing func()
}

func (w *world) Prepare(_ context.Context, r approval.Request) (func(context.Context) approval.Event, approval.Event) {
	if w.refusal.Word != "" {
		return nil, w.refusal
	}
	return func(context.Context) approval.Event {
		w.mu.Lock()
		w.writes[r.Mark()]++
		w.mu.Unlock()
		if w.writing != nil {
			w.writing()
		}
		if w.outcome.Word != "" {
			return w.outcome
		}
		return approval.Event{Word: approval.Done, Result: approval.Result{Text: "Done: " + r.Summary, Version: 4}}
	}, approval.Event{}
}

func (w *world) Landed(context.Context, approval.Request) approval.Event { return w.landed }

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.writes {
		n += c
	}
	return n
}

// people says who has which right.
type people struct{ approve, ask atomic.Bool }

func (p *people) MayApprove(_ context.Context, who approval.Person) (bool, error) {
	return p.approve.Load() && who.Agent != "nobody", nil
}
func (p *people) MayAsk(context.Context, identity.Caller) (bool, error) { return p.ask.Load(), nil }

// office is a service with everything around it.
type office struct {
	logs  planted.Log
	t     *testing.T
	world *world
	who   *people
	clock atomic.Int64 // since start
	dir   string
	book  *store.Precious
	*approval.Service
}

func (o *office) now() time.Time { return start.Add(time.Duration(o.clock.Load())) }

func (o *office) pass(d time.Duration) { o.clock.Add(int64(d)) }

func newOffice(t *testing.T) *office {
	o := &office{t: t, world: &world{writes: map[string]int{}}, who: &people{}, dir: t.TempDir()}
	o.who.approve.Store(true)
	o.who.ask.Store(true)
	o.reopen()
	t.Cleanup(func() { assert.NoError(t, o.book.Close()) })
	return o
}

// reopen is what a restart is: another service over the same file.
func (o *office) reopen() {
	if o.book != nil {
		require.NoError(o.t, o.book.Close())
	}
	var err error
	o.book, err = store.OpenPrecious(context.Background(), o.dir, o.now)
	require.NoError(o.t, err)
	o.Service, err = approval.New(context.Background(), approval.Config{Book: o.book, Rights: o.who, Now: o.now, Logger: slog.New(slog.NewTextHandler(&o.logs, nil))})
	require.NoError(o.t, err)
	o.Bind(o.world)
}

func (o *office) ask(digest string) approval.Request {
	o.t.Helper()
	r, err := o.Ask(context.Background(), approval.Request{Digest: digest, CallID: digest, Summary: "change page 1", Requester: agent,
		Private: approval.Private{Args: json.RawMessage(`{}`), Caller: identity.Caller{Agent: "bot"}}})
	require.NoError(o.t, err)
	return r
}

func yes(r approval.Request) approval.Verdict {
	return approval.Verdict{ID: r.ID, Digest: r.Digest, By: ben}
}

func (o *office) state(id string) approval.State {
	o.t.Helper()
	r, err := o.Show(context.Background(), id)
	require.NoError(o.t, err)
	return r.State
}

func TestApprovedChangeIsMadeAtOnce(t *testing.T) {
	o := newOffice(t)
	r, err := o.Approve(context.Background(), yes(o.ask("d")))
	require.NoError(t, err)
	assert.Equal(t, approval.Executed, r.State)
	assert.Equal(t, "Done: change page 1", r.Private.Result.Text)
	assert.Equal(t, 1, o.world.count())
	o.reopen()
	again, err := o.Show(context.Background(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, again)
}

// H03: 100 parallel executions of each of 100 approvals make 100 writes.
func TestH03_ParallelExecutorsWriteOnce(t *testing.T) {
	const approvals, executors = 100, 100
	o := newOffice(t)
	var ids []string
	for n := range approvals {
		o.world.refusal = approval.Event{Word: approval.Undone, Reason: "later", Retry: start}
		r, err := o.Ask(context.Background(), approval.Request{Digest: fmt.Sprint(n), Requester: approval.Person{Principal: fmt.Sprint("bot", n%10), Agent: "bot"}})
		require.NoError(t, err)
		r, err = o.Approve(context.Background(), yes(r))
		require.NoError(t, err)
		require.Equal(t, approval.Approved, r.State)
		ids = append(ids, r.ID)
	}
	o.world.refusal = approval.Event{}
	var all sync.WaitGroup
	for range executors {
		all.Go(func() {
			for _, id := range ids {
				_, err := o.Execute(context.Background(), id)
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	t.Logf("%d executors, %d approvals, %d writes", executors, approvals, o.world.count())
	assert.Equal(t, approvals, o.world.count())
	assert.Len(t, o.world.writes, approvals)
	for _, id := range ids {
		assert.Equal(t, approval.Executed, o.state(id))
	}
}

// H03: of 100 who approve and reject at once, one decides.
func TestH03_ParallelVerdictsGiveOneEnd(t *testing.T) {
	for range 10 {
		o := newOffice(t)
		r := o.ask("d")
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				v := approval.Verdict{ID: r.ID, Digest: r.Digest, Reason: "no", By: approval.Person{Principal: fmt.Sprint("p", n)}}
				if n%2 == 0 {
					_, _ = o.Approve(context.Background(), v)
				} else {
					_, _ = o.Reject(context.Background(), v)
				}
			})
		}
		all.Wait()
		end := o.state(r.ID)
		assert.True(t, end.Ended(), end)
		assert.Equal(t, end == approval.Executed, o.world.count() == 1)
		assert.LessOrEqual(t, o.world.count(), 1)
	}
}

// H05: a clock that is set back revives nothing, not even over a restart.
func TestH05_ClockSetBackRevivesNothing(t *testing.T) {
	o := newOffice(t)
	r := o.ask("d")
	o.pass(life + time.Second)
	other := o.ask("later") // any step that is kept says how late it was
	o.pass(-time.Hour)
	_, err := o.Approve(context.Background(), yes(r))
	require.Error(t, err)
	assert.Equal(t, approval.Expired, o.state(r.ID))
	o.reopen()
	o.pass(-life)
	_, err = o.Approve(context.Background(), yes(r))
	assert.Equal(t, "approval.state", code(t, err))
	assert.Equal(t, approval.Pending, o.state(other.ID))
	assert.Zero(t, o.world.count())
}

// H06, H07 and whoever lost their rights meanwhile: judged at execution.
func TestH07_RightsAreAskedForAgainAtExecution(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*office)
		code   string
	}{
		"H06 policy was narrowed":         {func(o *office) { o.world.refusal = approval.Event{Word: approval.Deny, Code: "policy.read_only"} }, "policy.read_only"},
		"H07 the approver lost the right": {func(o *office) { o.who.approve.Store(false) }, "approval.right"},
		"the requester's key was revoked": {func(o *office) { o.who.ask.Store(false) }, "auth.credentials"},
		"H04 the page was edited":         {func(o *office) { o.world.refusal = approval.Event{Word: approval.Outdate, Reason: "edited"} }, "approval.stale"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			o.world.refusal = approval.Event{Word: approval.Undone, Retry: start}
			r, err := o.Approve(context.Background(), yes(o.ask("d")))
			require.NoError(t, err)
			require.Equal(t, approval.Approved, r.State)
			o.world.refusal = approval.Event{}
			c.change(o)
			r, err = o.Execute(context.Background(), r.ID)
			require.NoError(t, err)
			assert.True(t, r.State.Ended())
			assert.Equal(t, c.code, r.Code)
			assert.Zero(t, o.world.count())
		})
	}
}

// H08: a guessed id, and somebody else's, are not there.
func TestH08_OthersRequestsAreNotThere(t *testing.T) {
	o := newOffice(t)
	r := o.ask("d")
	_, err := o.Wait(context.Background(), cat.Principal, r.ID, 0)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	_, err = o.Wait(context.Background(), agent.Principal, "00000000000000000000000000000000", 0)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	_, err = o.Cancel(context.Background(), approval.Withdrawal{ID: r.ID, By: cat})
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	nobody := approval.Person{Principal: "n", Agent: "nobody"}
	for _, id := range []string{r.ID, "00000000000000000000000000000000"} {
		_, err = o.Approve(context.Background(), approval.Verdict{ID: id, Digest: r.Digest, By: nobody})
		assert.Equal(t, "approval.right", code(t, err), "who may not decide does not learn which ids exist")
	}
}

// H10: the same approval sent again has no second effect.
func TestH10_ReplayedApprovalHasNoSecondEffect(t *testing.T) {
	o := newOffice(t)
	v := yes(o.ask("d"))
	for range 5 {
		r, err := o.Approve(context.Background(), v)
		require.NoError(t, err)
		assert.Equal(t, approval.Executed, r.State)
	}
	assert.Equal(t, 1, o.world.count())
	v.Digest = "another"
	_, err := o.Approve(context.Background(), v)
	assert.Equal(t, "approval.digest", code(t, err))
}

// H12: a process that dies while it executes leaves a request that is looked
// into, never started again.
func TestH12_CutOffAttemptIsLookedInto(t *testing.T) {
	for name, c := range map[string]struct {
		landed []approval.Word
		end    approval.State
	}{
		"the change is there":     {[]approval.Word{approval.Find}, approval.Executed},
		"it is not, twice":        {[]approval.Word{approval.Miss, approval.Miss}, approval.Failed},
		"only once so far":        {[]approval.Word{approval.Miss}, approval.InDoubt},
		"it can't be found out":   {[]approval.Word{approval.Unclear, approval.Unclear}, approval.InDoubt},
		"absent, unclear, absent": {[]approval.Word{approval.Miss, approval.Unclear, approval.Miss}, approval.InDoubt},
		"not yet, then it is":     {[]approval.Word{approval.Miss, approval.Find}, approval.Executed},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			r := o.ask("d")
			o.world.writing = func() { // the process ends here: what comes back is never kept
				o.reopen()
				o.Sweep(context.Background())
				require.Equal(t, approval.InDoubt, o.state(r.ID))
			}
			_, _ = o.Approve(context.Background(), yes(r))
			for _, w := range c.landed {
				o.world.landed = approval.Event{Word: w, Result: approval.Result{Text: "found"}}
				o.Sweep(context.Background())
				o.pass(61 * time.Second)
			}
			assert.Equal(t, c.end, o.state(r.ID))
			assert.Equal(t, 1, o.world.count())
		})
	}
}

func TestAbsenceIsProvedTwiceAMinuteApart(t *testing.T) {
	o := newOffice(t)
	r := o.ask("d")
	o.world.outcome, o.world.landed = approval.Event{Word: approval.Lose}, approval.Event{Word: approval.Miss}
	_, err := o.Approve(context.Background(), yes(r))
	require.NoError(t, err)
	for range 11 {
		o.Sweep(context.Background())
		assert.Equal(t, approval.InDoubt, o.state(r.ID))
		o.pass(5 * time.Second)
	}
	o.pass(6 * time.Second)
	o.Sweep(context.Background())
	assert.Equal(t, approval.Failed, o.state(r.ID))
}

func TestPassingFailureIsTriedAgainAtMostFiveTimes(t *testing.T) {
	o := newOffice(t)
	o.world.refusal = approval.Event{Word: approval.Undone, Code: "limit.rate", Reason: "busy"}
	r, err := o.Approve(context.Background(), yes(o.ask("d")))
	require.NoError(t, err)
	tries := 1
	for ; !r.State.Ended(); tries++ {
		assert.Equal(t, approval.Approved, r.State)
		before, err := o.Execute(context.Background(), r.ID)
		require.NoError(t, err)
		assert.Equal(t, r.Attempts, before.Attempts, "not before its time")
		o.pass(5 * time.Minute)
		o.Sweep(context.Background())
		r, err = o.Show(context.Background(), r.ID)
		require.NoError(t, err)
	}
	assert.Equal(t, 5, tries)
	assert.Equal(t, approval.Failed, r.State)
	assert.Zero(t, o.world.count())
}

func TestPanicsEndInDefinedStates(t *testing.T) {
	o := newOffice(t)
	o.world.writing = func() { panic("canary") }
	r, err := o.Approve(context.Background(), yes(o.ask("d")))
	require.NoError(t, err)
	assert.Equal(t, approval.InDoubt, r.State)
	assert.NotContains(t, r.Reason, "canary")
}

func TestWaitingEndsWithTheDecision(t *testing.T) {
	o := newOffice(t)
	r := o.ask("d")
	got := make(chan approval.Request, 1)
	go func() {
		r, _ := o.Wait(context.Background(), agent.Principal, r.ID, time.Minute)
		got <- r
	}()
	_, err := o.Reject(context.Background(), approval.Verdict{ID: r.ID, By: ben, Reason: "not on a Friday"})
	require.NoError(t, err)
	assert.Equal(t, "not on a Friday", (<-got).Reason)
	r, err = o.Wait(context.Background(), agent.Principal, o.ask("e").ID, 10*time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, approval.Pending, r.State)
}

func TestSweepExpiresAndForgets(t *testing.T) {
	o := newOffice(t)
	r := o.ask("d")
	o.pass(life)
	o.Sweep(context.Background())
	assert.Equal(t, approval.Expired, o.state(r.ID))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	o.pass(approval.KeepPrivate + time.Second)
	go func() { o.Run(ctx); close(done) }()
	require.Eventually(t, func() bool {
		r, err := o.Show(context.Background(), r.ID)
		return err == nil && r.Private.Args == nil
	}, soon, 10*time.Millisecond)
	cancel()
	<-done
}
