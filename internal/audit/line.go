package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kinds of lines.
const (
	Decided    = "decided"  // an [Entry], before it runs
	Finished   = "finished" // its [Outcome]
	Approval   = "approval" // a [Transition]
	timeLayout = "2006-01-02T15:04:05.000000Z"
)

// Line is one line of the log: a JSON object in UTF-8 without a line break. It
// is kept, exported and hashed as these very bytes and never encoded again, so
// that nothing hangs on how a program writes JSON. The canonical form is
//
//	{"seq":N,"kind":K,"ts":T,…,"prev_hash":P,"hash":H}
//
// with the members in the order the types of this package name them, no white
// space, text escaped as JSON demands (and U+2028 and U+2029), and T in UTC
// with six decimals. N counts from 1 without a gap. P is the hash of line N-1, 64 zeros
// for the first. H is the SHA-256, in lower-case hex, of the line without its
// member hash: of {"seq":N,…,"prev_hash":P}.
//
// So H finds that a line was changed, and P and N that one is missing, was
// added or stands elsewhere. What the chain alone can't show is a log whose end
// was cut off, or that was written anew from some line on by somebody who
// recomputed every hash: for this the head (count and last hash) is kept beside
// the lines, and anchors (see [Head]) are kept where that person can't write.
type Line struct {
	Seq  int64
	Text string
	Hash [sha256.Size]byte
}

// Record is what a line can hold: an [Entry], a [Finish] or a [Transition].
type Record interface{ members(h header) any }

type header struct {
	Seq  int64  `json:"seq"`
	Line string `json:"kind"`
	TS   string `json:"ts"`
}

type decidedLine struct {
	header
	Entry
	Prev string `json:"prev_hash"`
}

type finishedLine struct {
	header
	Entry      int64  `json:"entry"`
	DecisionID string `json:"decision_id"`
	Outcome
	Micros int64  `json:"micros"`
	Prev   string `json:"prev_hash"`
}

type approvalLine struct {
	header
	Transition
	Prev string `json:"prev_hash"`
}

func (e Entry) members(h header) any {
	h.Line, h.TS = Decided, e.Time.UTC().Format(timeLayout)
	e.RulesMatched, e.RulesErrored = orEmpty(e.RulesMatched), orEmpty(e.RulesErrored)
	return &decidedLine{header: h, Entry: e}
}

func (f Finish) members(h header) any {
	h.Line, h.TS = Finished, f.Time.UTC().Format(timeLayout)
	return &finishedLine{header: h, Entry: f.Entry, DecisionID: f.DecisionID, Outcome: f.Outcome, Micros: f.Outcome.Duration.Microseconds()}
}

func (t Transition) members(h header) any {
	h.Line, h.TS = Approval, t.Time.UTC().Format(timeLayout)
	return &approvalLine{header: h, Transition: t}
}

// orEmpty makes one form of the two empty lists.
func orEmpty(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids
}

// Next is the line that puts r behind the head h.
func (h Head) Next(r Record) (Line, error) {
	m := r.members(header{Seq: h.Seq + 1})
	prev := hex.EncodeToString(h.Hash[:])
	switch m := m.(type) {
	case *decidedLine:
		m.Prev = prev
	case *finishedLine:
		m.Prev = prev
	case *approvalLine:
		m.Prev = prev
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return Line{}, fmt.Errorf("encode line %d: %w", h.Seq+1, err)
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	sum := sha256.Sum256(body)
	text := string(body[:len(body)-1]) + hashMember + hex.EncodeToString(sum[:]) + hashEnd
	return Line{Seq: h.Seq + 1, Text: text, Hash: sum}, nil
}

const (
	hashMember = `,"hash":"`
	hashEnd    = `"}`
	prevMember = `,"prev_hash":"`
	hexLen     = 2 * sha256.Size
)

// Parse reads the seq and hashes of a line and checks the line against its own
// hash. prev is what it says the hash before it is. The error says what is
// wrong with the line.
func Parse(text string) (l Line, prev [sha256.Size]byte, err error) {
	rest, ok := strings.CutSuffix(text, hashEnd)
	if !ok || len(rest) < hexLen {
		return l, prev, fmt.Errorf("is not a line of the log")
	}
	body, sum := rest[:len(rest)-hexLen], rest[len(rest)-hexLen:]
	body, ok = strings.CutSuffix(body, hashMember)
	if !ok {
		return l, prev, fmt.Errorf("has no hash")
	}
	l.Text, l.Hash = text, sha256.Sum256([]byte(body+"}"))
	if hex.EncodeToString(l.Hash[:]) != sum {
		return l, prev, fmt.Errorf("was changed: its hash does not fit")
	}
	if l.Seq, err = seqOf(body); err != nil {
		return l, prev, err
	}
	prev, err = prevOf(body)
	return l, prev, err
}

func seqOf(body string) (int64, error) {
	rest, ok := strings.CutPrefix(body, `{"seq":`)
	digits, _, found := strings.Cut(rest, ",")
	seq, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !found || err != nil {
		return 0, fmt.Errorf("has no number")
	}
	return seq, nil
}

func prevOf(body string) (prev [sha256.Size]byte, err error) {
	rest, ok := strings.CutSuffix(body, `"`)
	if !ok || len(rest) < hexLen || !strings.HasSuffix(rest[:len(rest)-hexLen], prevMember) {
		return prev, fmt.Errorf("has no hash of the line before")
	}
	if _, err := hex.Decode(prev[:], []byte(rest[len(rest)-hexLen:])); err != nil {
		return prev, fmt.Errorf("has no hash of the line before")
	}
	return prev, nil
}

// ReadEntry reads a line of kind [Decided].
func ReadEntry(text string) (Entry, error) {
	var l decidedLine
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	var err error
	if l.Entry.Time, err = time.Parse(timeLayout, l.TS); err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	return l.Entry, nil
}

// ReadOutcome reads a line of kind [Finished].
func ReadOutcome(text string) (Outcome, error) {
	var l finishedLine
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return Outcome{}, fmt.Errorf("read outcome: %w", err)
	}
	l.Outcome.Duration = time.Duration(l.Micros) * time.Microsecond
	return l.Outcome, nil
}
