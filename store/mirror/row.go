package mirror

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash"
	"strconv"
	"time"

	"confluence-mcp/store/guard"
)

// rowHash is what a row that decides about rights, or a body, is written with.
func rowHash(fields ...any) []byte {
	h := hashing{all: make([]byte, 0, 256)}
	var one []byte
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			h.all = append(strconv.AppendInt(h.all, int64(len(f)), 10), ':')
			h.text(f)
			continue
		case uint32:
			one = strconv.AppendUint(one[:0], uint64(f), 10)
		case int64:
			one = strconv.AppendInt(one[:0], f, 10)
		case guard.State:
			one = strconv.AppendUint(one[:0], uint64(f), 10)
		default:
			one = fmt.Append(one[:0], f)
		}
		h.all = append(strconv.AppendInt(h.all, int64(len(one)), 10), '=')
		h.all = append(h.all, one...)
	}
	return h.sum()
}

// hashing collects what is hashed. Bodies go through it in pieces: a copy of
// one may be megabytes.
type hashing struct {
	all    []byte
	before hash.Hash // of what was before all; nil: nothing
}

func (h *hashing) text(s string) {
	const piece = 4 << 10
	for len(s) > piece {
		h.all = append(h.all, s[:piece]...)
		h.flush()
		s = s[piece:]
	}
	h.all = append(h.all, s...)
}

func (h *hashing) flush() {
	if h.before == nil {
		h.before = sha256.New()
	}
	h.before.Write(h.all)
	h.all = h.all[:0]
}

func (h *hashing) sum() []byte {
	if h.before == nil {
		sum := sha256.Sum256(h.all)
		return sum[:16]
	}
	h.flush()
	return h.before.Sum(nil)[:16]
}

func sound(hash []byte, fields ...any) bool { return bytes.Equal(hash, rowHash(fields...)) }

// principal as it is stored: kind and id; the integration is the row's.
type principal struct {
	Kind guard.Kind
	ID   string
}

func encode(of []guard.Principal) string {
	if len(of) == 0 {
		return "[]"
	}
	out := make([]principal, 0, len(of))
	for _, p := range of {
		out = append(out, principal{p.Kind, p.ID})
	}
	return text(out)
}

func decode(integration int64, s string) ([]guard.Principal, error) {
	if s == "[]" {
		return nil, nil
	}
	var in []principal
	if err := json.Unmarshal([]byte(s), &in); err != nil {
		return nil, err
	}
	out := make([]guard.Principal, 0, len(in))
	for _, p := range in {
		out = append(out, guard.Principal{Integration: integration, Kind: p.Kind, ID: p.ID})
	}
	return out, nil
}

// text is JSON of values that always have one.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// node is a row of the table of that name.
type node struct {
	idx         uint32
	integration int64
	id          string
	kind        string
	space       uint32
	parent      uint32
	state       guard.State
	clause      string
	gone        int64
	hash        []byte
	cause       string
}

const nodeColumns = "idx, integration, id, type, space, parent, state, clause, gone, hash, cause"

func (n *node) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&n.idx, &n.integration, &n.id, &n.kind, &n.space, &n.parent, &n.state, &n.clause, &n.gone, &n.hash, &n.cause)
}

func (n *node) fields() []any {
	return []any{n.idx, n.integration, n.id, n.space, n.parent, n.state, n.clause, n.gone}
}

// guarded is the row as the guard forest knows it; what is damaged or gone is
// sealed.
func (n *node) guarded() (out guard.Node, ok bool) {
	out = guard.Node{Parent: n.parent, Space: n.space}
	if !sound(n.hash, n.fields()...) {
		return guard.Node{}, false
	}
	of, err := decode(n.integration, n.clause)
	if err != nil {
		return guard.Node{}, false
	}
	if n.gone == 0 {
		out.Clause = guard.Clause{State: n.state, Of: of}
	}
	return out, true
}

// rows runs a query and calls each for every row.
func eachRow(rows *sql.Rows, err error, each func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
