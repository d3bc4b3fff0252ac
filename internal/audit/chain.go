package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Head is how far a log goes: its number of lines and the hash of the last.
// The zero value is the head of an empty log.
//
// A head that was noted elsewhere (in a ticket, on paper, in another system's
// log) is an anchor: as long as it still fits, nobody has changed anything
// before it, whatever they could write to.
type Head struct {
	Seq  int64
	Hash [sha256.Size]byte
}

// String is the head as an anchor is written down: N:HASH.
func (h Head) String() string {
	return strconv.FormatInt(h.Seq, 10) + ":" + hex.EncodeToString(h.Hash[:])
}

// ParseHead reads what [Head.String] writes.
func ParseHead(s string) (Head, error) {
	n, sum, ok := strings.Cut(s, ":")
	var h Head
	seq, err := strconv.ParseInt(n, 10, 64)
	if !ok || err != nil || seq < 0 || len(sum) != hexLen {
		return Head{}, fmt.Errorf("%q is not NUMBER:HASH", s)
	}
	if _, err := hex.Decode(h.Hash[:], []byte(sum)); err != nil {
		return Head{}, fmt.Errorf("%q is not NUMBER:HASH", s)
	}
	h.Seq = seq
	return h, nil
}

// Broken says where a log stops being what was written.
type Broken struct {
	Seq    int64 // number of the first line that is bad or missing
	Reason string
}

// Error names the line and what is wrong with it.
func (b *Broken) Error() string {
	return fmt.Sprintf("the audit log is broken at line %d: %s", b.Seq, b.Reason)
}

// Chain checks lines one after the other. The zero value begins at line 1;
// anchors have to be set before the first line.
type Chain struct {
	Head    Head   // of the lines checked so far; set it to go on behind a part that was checked before
	Anchors []Head // must each fit the line of their number
}

// Add checks the next line: that it is unchanged, is the next by number and
// continues the hash of the last. The error is a [Broken].
func (c *Chain) Add(text string) error {
	want := c.Head.Seq + 1
	l, prev, err := Parse(text)
	switch {
	case err != nil:
		return &Broken{want, "it " + err.Error()}
	case l.Seq > want:
		return &Broken{want, fmt.Sprintf("it is missing, line %d follows", l.Seq)}
	case l.Seq < want:
		return &Broken{want, fmt.Sprintf("line %d stands in its place", l.Seq)}
	case prev != c.Head.Hash:
		return &Broken{want, fmt.Sprintf("it does not follow line %d: one of the two was replaced", c.Head.Seq)}
	}
	c.Head = Head{l.Seq, l.Hash}
	for _, a := range c.Anchors {
		if a.Seq == want && a.Hash != l.Hash {
			return &Broken{want, "it is not the line its anchor was taken of: the log was written anew"}
		}
	}
	return nil
}

// End checks that the log ends where head says, and that it reaches every
// anchor. The error is a [Broken].
func (c *Chain) End(head Head) error {
	switch {
	case c.Head.Seq < head.Seq:
		return &Broken{c.Head.Seq + 1, fmt.Sprintf("it is missing, as all from there to line %d are: the end was cut off", head.Seq)}
	case c.Head.Seq > head.Seq:
		return &Broken{head.Seq + 1, "it was added behind the end"}
	case c.Head.Hash != head.Hash:
		return &Broken{head.Seq, "it is not the last line that was written"}
	}
	for _, a := range c.Anchors {
		if a.Seq > c.Head.Seq {
			return &Broken{c.Head.Seq + 1, fmt.Sprintf("it is missing: an anchor was taken of line %d", a.Seq)}
		}
	}
	return nil
}
