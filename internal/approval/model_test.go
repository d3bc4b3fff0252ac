package approval_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

var (
	agent = approval.Person{Principal: "bot|acme|user|u-ann", Agent: "bot", Owner: "it", Account: "u-ann"}
	ben   = approval.Person{Principal: "ben|acme|user|u-ben", Agent: "ben", Owner: "ben", Account: "u-ben"}
	cat   = approval.Person{Principal: "cat|acme|user|u-cat", Agent: "cat", Owner: "cat", Account: "u-cat"}
)

// model is the reference: the table of policy.md 4.3 row by row, as words.
type model struct {
	state     string
	by        string // who decided
	attempt   string
	starts    int
	firstGone time.Duration // since start; negative: none
	retry     time.Duration
}

const life = 24 * time.Hour

// step says whether the table has a row for the event, and takes it.
func (m *model) step(word string, f facts) bool {
	late := f.at >= life
	var rows map[string]string
	switch m.state {
	case "pending":
		rows = map[string]string{}
		if f.right && f.digest && !late && (f.who != "bot" || f.self) {
			rows["approve"] = "approved"
		}
		if f.right && f.reason {
			rows["reject"] = "rejected"
		}
		if f.who == "bot" || f.right {
			rows["cancel"] = "cancelled"
		}
		rows["outdate"], rows["deny"] = "stale", "cancelled"
		if late {
			rows["expire"] = "expired"
		}
	case "approved":
		rows = map[string]string{"outdate": "stale", "deny": "cancelled"}
		if late {
			rows["expire"] = "expired"
		} else if f.right && f.at >= m.retry {
			rows["claim"] = "executing"
		}
	case "executing":
		if f.attempt != m.attempt {
			return false
		}
		rows = map[string]string{"done": "executed", "conflict": "stale", "fail": "failed", "lose": "in_doubt", "undone": "approved"}
		if late {
			rows["undone"] = "expired"
		} else if m.starts == 5 {
			rows["undone"] = "failed"
		}
	case "in_doubt":
		if to := map[string]string{"landed": "executed", "missing": "failed"}[word]; to != "" {
			if f.right && f.reason {
				m.state = to
			}
			return f.right && f.reason
		}
		if f.attempt != m.attempt {
			return false
		}
		return m.search(word, f)
	}
	to, ok := rows[word]
	if !ok {
		return false
	}
	switch word {
	case "approve", "reject":
		m.by = f.who
	case "claim":
		m.attempt = f.attempt
		m.starts++
	case "undone":
		m.retry = f.retry
	}
	m.state = to
	return true
}

func (m *model) search(word string, f facts) bool {
	switch {
	case word == "find":
		m.state = "executed"
	case word == "unclear" && m.firstGone >= 0:
		m.firstGone = -1
	case word == "miss" && m.firstGone < 0:
		m.firstGone = f.at
	case word == "miss" && f.at >= m.firstGone+time.Minute:
		m.state = "failed"
	default:
		return false
	}
	return true
}

// facts are what guards look at, in the model's own terms.
type facts struct {
	at, retry                   time.Duration
	who                         string
	right, self, digest, reason bool
	attempt                     string
}

var words = []string{"approve", "reject", "cancel", "expire", "outdate", "deny", "claim", "done", "conflict", "fail", "undone", "lose", "find", "miss", "unclear", "landed", "missing"}

func draw(r *rand.Rand, now time.Duration, attempt string) (string, facts) {
	likely := func() bool { return r.IntN(8) != 0 }
	f := facts{at: now, retry: now + time.Duration(r.IntN(60))*time.Second, who: []string{"bot", "ben", "cat"}[r.IntN(3)],
		right: likely(), self: r.IntN(12) == 0, digest: likely(), reason: likely(), attempt: attempt}
	if r.IntN(10) == 0 {
		f.attempt = "another"
	}
	// Half of the words are those that lead on, so that sequences get far.
	if r.IntN(2) == 0 {
		return []string{"approve", "claim", "lose", "miss", "undone", "miss"}[r.IntN(6)], f
	}
	return words[r.IntN(len(words))], f
}

func event(word string, f facts) approval.Event {
	e := approval.Event{Word: approval.Word(word), At: start.Add(f.at), By: map[string]approval.Person{"bot": agent, "ben": ben, "cat": cat}[f.who],
		Right: f.right, Self: f.self, Attempt: f.attempt, Digest: "sha256:00", Retry: start.Add(f.retry), Code: "x"}
	if f.digest {
		e.Digest = "sha256:aa"
	}
	if f.reason {
		e.Reason = "because"
	}
	return e
}

// TestStateMachineAgainstTheReferenceModel runs 10,000 random sequences of
// events through Apply and through the model.
func TestStateMachineAgainstTheReferenceModel(t *testing.T) {
	const sequences, length = 10_000, 40
	ends, events, divergences := map[approval.State]int{}, 0, 0
	for seed := range uint64(sequences) {
		r := rand.New(rand.NewPCG(seed, 7))
		req := approval.Open(approval.Request{Digest: "sha256:aa", Requester: agent}, start, 0)
		m := model{state: "pending", firstGone: -1}
		var now time.Duration
		for n := range length {
			now += []time.Duration{0, time.Second, 30 * time.Second, time.Minute, 2 * time.Hour}[r.IntN(5)]
			attempt := m.attempt
			word, f := draw(r, now, attempt)
			if word == "claim" {
				f.attempt = fmt.Sprint("try", n)
			}
			before := req
			was := m.state
			want := m.step(word, f)
			next, changed, err := req.Apply(event(word, f))
			if changed != want || string(next.State) != m.state || next.Attempts != m.starts || changed && err != nil {
				divergences++
				t.Errorf("seed %d step %d: %s in %s: %s/%v, the model says %s/%v (%+v)", seed, n, word, was, next.State, changed, m.state, want, f)
			}
			if !changed {
				assert.Equal(t, before, next, "a refusal changes nothing")
			} else {
				assert.Equal(t, before.Seq+1, next.Seq)
				assert.False(t, before.State.Ended(), "%s is an end", before.State)
			}
			req = next
			events++
		}
		ends[req.State]++
		if t.Failed() {
			break
		}
	}
	t.Logf("%d sequences, %d events, %d divergences; last states %v", sequences, events, divergences, ends)
	for _, s := range []approval.State{approval.Executed, approval.Rejected, approval.Cancelled, approval.Expired, approval.Stale, approval.Failed, approval.InDoubt} {
		assert.Positive(t, ends[s], "%s is never reached", s)
	}
}

func pending() approval.Request {
	return approval.Open(approval.Request{Digest: "sha256:aa", Requester: agent}, start, 0)
}

func code(t *testing.T, err error) string {
	t.Helper()
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	return e.StableCode()
}

// H02: nobody approves what they asked for themselves, under whatever name.
func TestH02_SelfApprovalIsRefusedUnderEveryName(t *testing.T) {
	for name, who := range map[string]approval.Person{
		"the same principal":                     agent,
		"a second key of the same owner":         {Principal: "p2", Agent: "bot2", Owner: "it"},
		"the same account by another agent":      {Principal: "p3", Agent: "desk", Owner: "desk", Account: "U-ANN"},
		"the same agent for another user":        {Principal: "p4", Agent: "bot", Owner: "x", Account: "u-zoe"},
		"the owner of the requesting key":        {Principal: "p5", Agent: "it", Owner: "boss"},
		"a key the requesting agent answers for": {Principal: "p6", Agent: "child", Owner: "bot"},
	} {
		t.Run(name, func(t *testing.T) {
			_, changed, err := pending().Apply(approval.Event{Word: approval.Approve, At: start, By: who, Right: true, Digest: "sha256:aa"})
			assert.Equal(t, "approval.self", code(t, err))
			assert.False(t, changed)
		})
	}
	_, changed, err := pending().Apply(approval.Event{Word: approval.Approve, At: start, By: ben, Right: true, Digest: "sha256:aa"})
	require.NoError(t, err)
	assert.True(t, changed)
}

// H05: expired by one second is expired.
func TestH05_ExpiredByASecondIsExpired(t *testing.T) {
	e := approval.Event{Word: approval.Approve, At: start.Add(life + time.Second), By: ben, Right: true, Digest: "sha256:aa"}
	_, _, err := pending().Apply(e)
	assert.Equal(t, "approval.expired", code(t, err))
	e.At = start.Add(life - time.Second)
	r, _, err := pending().Apply(e)
	require.NoError(t, err)
	_, _, err = r.Apply(approval.Event{Word: approval.Claim, At: start.Add(life + time.Second), Right: true, Attempt: "a"})
	assert.Equal(t, "approval.expired", code(t, err))
}

func TestLifeIsBounded(t *testing.T) {
	assert.Equal(t, start.Add(24*time.Hour), pending().Expires)
	long := approval.Open(approval.Request{}, start, 1000*time.Hour)
	assert.Equal(t, start.Add(7*24*time.Hour), long.Expires)
	assert.Len(t, long.ID, 32)
	assert.NotEqual(t, long.ID, pending().ID)
}

func TestRejectionNeedsAReason(t *testing.T) {
	for _, reason := range []string{"", "  \n", strings.Repeat("é", 501)} {
		_, _, err := pending().Apply(approval.Event{Word: approval.Reject, At: start, By: ben, Right: true, Reason: reason})
		assert.Equal(t, "input.reason", code(t, err), "%.10q", reason)
	}
	r, _, err := pending().Apply(approval.Event{Word: approval.Reject, At: start, By: ben, Right: true, Reason: " not now "})
	require.NoError(t, err)
	assert.Equal(t, "not now", r.Reason)
}
