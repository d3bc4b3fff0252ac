package audit_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// record is the n-th of a plausible log: calls, their outcomes, approvals.
func record(n int) audit.Record {
	when := start().Add(time.Duration(n) * time.Second)
	switch n % 5 {
	case 1, 3:
		return audit.Finish{Time: when, Entry: int64(n), DecisionID: fmt.Sprintf("%032x", n-1), Outcome: audit.Outcome{Result: audit.OK, Bytes: n, Duration: time.Millisecond}}
	case 4:
		return audit.Transition{Time: when, ApprovalID: fmt.Sprintf("%032x", n), To: "pending", Principal: "helpdesk|acme|user|u-ann"}
	}
	return audit.Entry{Time: when, DecisionID: fmt.Sprintf("%032x", n), Profile: "read-only", Principal: "helpdesk|acme|user|u-ann", Kind: "user", Transport: "http",
		Tool: "confluence_get_page", Group: "pages", Action: "read", ResourceID: fmt.Sprint(n), SpaceKey: "ENG", Effect: "allow", Reason: "allowed", ArgsSHA256: fmt.Sprintf("%064x", n)}
}

// log gives n lines and the head before each; heads[n] is the head of all.
func log(t testing.TB, n int) (lines []string, heads []audit.Head) {
	t.Helper()
	head := audit.Head{}
	heads = append(heads, head)
	for i := range n {
		l, err := head.Next(record(i))
		require.NoError(t, err)
		head = audit.Head{Seq: l.Seq, Hash: l.Hash}
		lines, heads = append(lines, l.Text), append(heads, head)
	}
	return lines, heads
}

// check goes over lines as the continuation of from.
func check(from audit.Head, lines []string, end audit.Head, anchors ...audit.Head) error {
	c := audit.Chain{Head: from, Anchors: anchors}
	for _, l := range lines {
		if err := c.Add(l); err != nil {
			return err
		}
	}
	return c.End(end)
}

func at(t testing.TB, err error) int64 {
	t.Helper()
	var b *audit.Broken
	require.ErrorAs(t, err, &b)
	assert.NotEmpty(t, b.Reason)
	return b.Seq
}

func TestUntouchedLogHolds(t *testing.T) {
	lines, heads := log(t, 1000)
	assert.NoError(t, check(heads[0], lines, heads[1000], heads[1], heads[500], heads[1000]))
	assert.NoError(t, check(audit.Head{}, nil, audit.Head{}))
}

// TestEveryTamperingIsFound changes, removes and swaps every one of 10,000
// lines. What stands before the first touched line is the same in the whole
// log and in the untouched one, so each check begins right there.
func TestEveryTamperingIsFound(t *testing.T) {
	const n = 10_000
	lines, heads := log(t, n)
	random := rand.New(rand.NewPCG(1, 2))
	found := map[string]int{}
	try := func(kind string, before, line int, changed ...string) {
		if err := check(heads[before], changed, heads[n]); assert.Error(t, err, "%s of line %d", kind, line) {
			assert.EqualValues(t, line, at(t, err), "%s", kind)
			found[kind]++
		}
	}
	for i := range n {
		rest := lines[i+1:]
		flipped := []byte(lines[i])
		flipped[random.IntN(len(flipped))] ^= byte(1 + random.IntN(255))
		try("edits of one byte", i, i+1, append([]string{string(flipped)}, rest...)...)
		try("removals", i, i+1, rest...)
		try("repeats", i, i+2, append([]string{lines[i], lines[i]}, rest...)...)
		if i == n-1 {
			continue
		}
		try("swaps with the next", i, i+1, append([]string{rest[0], lines[i]}, rest[1:]...)...)
		j := i + 1 + random.IntN(n-i-1)
		swapped := append([]string{}, lines[i:]...)
		swapped[0], swapped[j-i] = swapped[j-i], swapped[0]
		try("swaps with any later line", i, i+1, swapped...)
		try("ends cut off", i, i+1)
		forged := forge(t, lines[i], heads[i])
		try("edits with the line's own hash made to fit", i, min(i+2, n), append([]string{forged}, rest...)...)
	}
	for kind, want := range map[string]int{"edits of one byte": n, "removals": n, "repeats": n, "swaps with the next": n - 1,
		"swaps with any later line": n - 1, "ends cut off": n - 1, "edits with the line's own hash made to fit": n - 1} {
		assert.Equal(t, want, found[kind], kind)
		t.Logf("%s: %d of %d found, each at its line", kind, found[kind], want)
	}
}

// forge changes a line and computes its hash anew, as who knows the format can.
func forge(t testing.TB, line string, before audit.Head) string {
	t.Helper()
	body, _, ok := strings.Cut(line, `,"hash":"`)
	require.True(t, ok)
	body = strings.Replace(body, `"ts":"2026`, `"ts":"2025`, 1)
	sum := sha256.Sum256([]byte(body + "}"))
	_, prev, err := audit.Parse(body + `,"hash":"` + hex.EncodeToString(sum[:]) + `"}`)
	require.NoError(t, err)
	require.Equal(t, before.Hash, prev)
	return body + `,"hash":"` + hex.EncodeToString(sum[:]) + `"}`
}

// Who can write everything can recompute every hash from a line on. The chain
// alone can't show that; an anchor does, and so does a head they forgot.
func TestOnlyAnchorsShowALogWrittenAnew(t *testing.T) {
	lines, heads := log(t, 100)
	anew := append([]string{}, lines[:40]...)
	head := heads[40]
	for i := 41; i < 100; i++ { // without line 41
		l, err := head.Next(record(i))
		require.NoError(t, err)
		anew, head = append(anew, l.Text), audit.Head{Seq: l.Seq, Hash: l.Hash}
	}
	assert.NoError(t, check(audit.Head{}, anew, head), "consistent in itself")
	assert.NoError(t, check(audit.Head{}, anew, head, heads[40]), "an anchor before it says nothing about it")
	assert.EqualValues(t, 100, at(t, check(audit.Head{}, anew, heads[100])), "the old head")
	assert.EqualValues(t, 60, at(t, check(audit.Head{}, anew, head, heads[20], heads[60])), "an anchor behind it")
	assert.EqualValues(t, 100, at(t, check(audit.Head{}, anew, head, heads[100])), "an anchor of more lines than there are")
	assert.EqualValues(t, 100, at(t, check(audit.Head{}, lines, heads[99])), "a line behind the head")
}

func TestLinesReadBackAndAreCanonical(t *testing.T) {
	e := audit.Entry{Time: start().Add(1500 * time.Microsecond).In(time.FixedZone("", 3600)), DecisionID: "d", Principal: "a|b|user|<ü\u2028\n>", RulesMatched: []string{"r1"}, Write: true, ApprovalID: "a1"}
	l, err := audit.Head{}.Next(e)
	require.NoError(t, err)
	assert.Equal(t, `{"seq":1,"kind":"decided","ts":"2026-03-01T12:00:00.001500Z","decision_id":"d","policy_rev":"","profile":"","principal":"a|b|user|<ü\u2028\n>",`+
		`"principal_kind":"","transport":"","tool":"","group":"","action":"","site":"","resource_type":"","resource_id":"","space_key":"","effect":"","reason":"",`+
		`"rules_matched":["r1"],"rules_errored":[],"args_sha256":"","dry_run":false,"write":true,"approval_id":"a1",`+
		`"prev_hash":"0000000000000000000000000000000000000000000000000000000000000000","hash":"`+hex.EncodeToString(l.Hash[:])+`"}`, l.Text)
	got, err := audit.ReadEntry(l.Text)
	require.NoError(t, err)
	assert.True(t, e.Time.Equal(got.Time))
	got.Time, e.Time, e.RulesErrored = time.Time{}, time.Time{}, []string{}
	assert.Equal(t, e, got)

	o := audit.Outcome{Result: audit.Failed, ErrorCode: "conflict", Version: 4, Bytes: 10, Duration: 1500 * time.Microsecond}
	l, err = audit.Head{Seq: 1, Hash: l.Hash}.Next(audit.Finish{Time: start(), Entry: 1, DecisionID: "d", Outcome: o})
	require.NoError(t, err)
	back, err := audit.ReadOutcome(l.Text)
	require.NoError(t, err)
	assert.Equal(t, o, back)
	assert.True(t, json.Valid([]byte(l.Text)))
}

func TestWhatIsNoLineIsRefused(t *testing.T) {
	lines, _ := log(t, 1)
	good := lines[0]
	for name, text := range map[string]string{
		"empty": "", "another object": `{"seq":1}`, "cut": good[:len(good)-1], "longer": good + " ", "upper-case hash": strings.ToUpper(good),
		"no number":    rehash(strings.Replace(good, `{"seq":1,`, `{"seq":"1",`, 1)),
		"no prev_hash": rehash(strings.Replace(good, `"prev_hash"`, `"other_hash"`, 1)),
		"bad prev":     rehash(strings.Replace(good, `"prev_hash":"0`, `"prev_hash":"x`, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			var b *audit.Broken
			err := new(audit.Chain).Add(text)
			assert.True(t, errors.As(err, &b), "%v", err)
		})
	}
	_, err := audit.ReadEntry("{")
	assert.Error(t, err)
	_, err = audit.ReadEntry(`{"ts":"yesterday"}`)
	assert.Error(t, err)
	_, err = audit.ReadOutcome("{")
	assert.Error(t, err)
}

func rehash(line string) string {
	body, _, _ := strings.Cut(line, `,"hash":"`)
	sum := sha256.Sum256([]byte(body + "}"))
	return body + `,"hash":"` + hex.EncodeToString(sum[:]) + `"}`
}

func TestAnchorsAreWrittenAndRead(t *testing.T) {
	_, heads := log(t, 3)
	got, err := audit.ParseHead(heads[3].String())
	require.NoError(t, err)
	assert.Equal(t, heads[3], got)
	for _, s := range []string{"", "3", ":", "x:" + heads[3].String()[2:], "-1:" + heads[3].String()[2:], "3:00", heads[3].String() + "0", "3:" + strings.Repeat("g", 64)} {
		_, err := audit.ParseHead(s)
		assert.Error(t, err, s)
	}
}
