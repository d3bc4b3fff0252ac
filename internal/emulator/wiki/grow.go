package wiki

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// firstHangingID is the first id of copied comments and attachments.
const firstHangingID = 20_000_000_000

// Grow copies a site file and multiplies its tree until it has g.Pages nodes
// (pages, blog posts and folders, in file order). Copy k of node b = k mod B in
// replica r = k div B has the id 1,000,000 + k (the next power of ten above the
// base's ids when those are larger), the base's title + " " + r, space key + r,
// and hangs below the same copy of its parent; comments and attachments go
// along. A site that is already as large is only cut.
func Grow(w io.Writer, r io.Reader, g Growth) error {
	gr := &grower{growth: g, out: bufio.NewWriterSize(w, 1<<20), node: map[string]int{}, hanging: map[string][]*record{}, next: firstHangingID}
	if err := gr.read(r); err != nil {
		return fmt.Errorf("growing the site: %w", err)
	}
	gr.firstID = uint64(firstGrownID)
	for gr.firstID <= gr.highest {
		gr.firstID *= 10
	}
	if gr.replicas() > 1 && len(gr.nodes) > 0 {
		for rep := 1; rep < gr.replicas(); rep++ {
			gr.copySpaces(rep)
		}
		for k := len(gr.nodes); k < g.Pages; k++ {
			gr.copyNode(k)
		}
	}
	if gr.err == nil {
		gr.err = gr.out.Flush()
	}
	if gr.err != nil {
		return fmt.Errorf("growing the site: %w", gr.err)
	}
	return nil
}

// fields is one line of the site file; what Grow does not change stays as it
// is.
type fields map[string]json.RawMessage

func (f fields) text(name string) string {
	var s string
	_ = json.Unmarshal(f[name], &s) // anything else than a string is the loader's business
	return s
}

// record is a line that is copied: the texts that copies change, decoded
// once, and the rest as JSON members.
type record struct {
	kind, id, key, name, title, space, parent, storage string
	rest                                               []byte // ,"member":value…
}

func newRecord(f fields) *record {
	rec := &record{}
	for _, slot := range rec.slots() {
		*slot.value = f.text(slot.name)
		delete(f, slot.name)
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		rec.rest = append(append(append(append(rec.rest, ',', '"'), name...), '"', ':'), f[name]...)
	}
	return rec
}

type slot struct {
	name  string
	value *string
}

// slots lists the decoded members; kind comes first, where loaders look for it.
func (rec *record) slots() []slot {
	return []slot{{"kind", &rec.kind}, {"id", &rec.id}, {"key", &rec.key}, {"name", &rec.name}, {"title", &rec.title},
		{"space", &rec.space}, {"parent", &rec.parent}, {"storage", &rec.storage}}
}

// write puts the record as a line; empty members are left out, as their
// defaults are empty.
func (rec *record) write(w *bytes.Buffer) {
	w.WriteByte('{')
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i, slot := range rec.slots() {
		if *slot.value == "" {
			continue
		}
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString(`"` + slot.name + `":`)
		_ = enc.Encode(*slot.value) // a string into memory cannot fail
		w.Truncate(w.Len() - 1)     // Encode ends with a newline
	}
	w.Write(rec.rest)
	w.WriteString("}\n")
}

type grower struct {
	growth  Growth
	out     *bufio.Writer
	line    bytes.Buffer
	err     error // the first failed write
	spaces  []*record
	nodes   []*record
	node    map[string]int       // position by id
	hanging map[string][]*record // comments and attachments by parent id
	highest uint64               // numeric id
	firstID uint64
	next    uint64 // id of the next copied comment or attachment
}

// read passes the base on, shortened, and keeps what will be copied.
func (g *grower) read(r io.Reader) error {
	for dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<16)); ; {
		var f fields
		err := dec.Decode(&f)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rec := newRecord(f)
		g.keep(rec, f.text("type"))
		g.put(rec, cutStorage(rec.storage, g.growth.Cut))
	}
}

// put writes a record with another body.
func (g *grower) put(rec *record, storage string) {
	copied := *rec
	copied.storage = storage
	g.line.Reset()
	copied.write(&g.line)
	if g.err == nil {
		_, g.err = g.out.Write(g.line.Bytes())
	}
}

func (g *grower) keep(rec *record, kind string) {
	switch {
	case rec.kind == "space":
		g.spaces = append(g.spaces, rec)
	case rec.kind != "content":
	case kind == "comment" || kind == "attachment":
		g.hanging[rec.parent] = append(g.hanging[rec.parent], rec)
	default:
		g.node[rec.id] = len(g.nodes)
		g.nodes = append(g.nodes, rec)
	}
	if n, err := strconv.ParseUint(rec.id, 10, 64); err == nil && n < firstHangingID/2 {
		g.highest = max(g.highest, n)
	}
}

func (g *grower) replicas() int {
	if len(g.nodes) == 0 {
		return 0
	}
	return (g.growth.Pages + len(g.nodes) - 1) / len(g.nodes)
}

// copySpaces writes replica r's spaces; their ids follow the base's.
func (g *grower) copySpaces(r int) {
	for i, sp := range g.spaces {
		first := 1
		if n, err := strconv.Atoi(g.spaces[0].id); err == nil && n > 1 {
			first = 500_000_000 // away from ids that people write
		}
		copied := *sp
		copied.id = strconv.Itoa(first + r*len(g.spaces) + i)
		copied.key, copied.name = replica(sp.key, "", r), replica(sp.name, " ", r)
		g.put(&copied, "")
	}
}

// copyNode writes page k. Its parent is the same formula for the parent's b; a
// node whose parent's copy is beyond the end, because the file has it before
// its parent, is left out.
func (g *grower) copyNode(k int) {
	b, r := k%len(g.nodes), k/len(g.nodes)
	copied := *g.nodes[b]
	if copied.parent != "" {
		at := r*len(g.nodes) + g.node[copied.parent]
		if at >= g.growth.Pages {
			return
		}
		copied.parent = g.id(at)
	}
	copied.id, copied.title, copied.space = g.id(k), replica(copied.title, " ", r), replica(copied.space, "", r)
	storage := copied.storage
	if storage != "" {
		storage = cutStorage(grownStorage(storage, g.growth, k, r), g.growth.Cut) + "<p>" + refLine(g.growth, k) + "</p>"
	}
	g.put(&copied, storage)
	g.copyHanging(g.nodes[b].id, copied.id, r)
}

func (g *grower) id(k int) string { return strconv.FormatUint(g.firstID+uint64(k), 10) }

func (g *grower) copyHanging(from, to string, r int) {
	for _, rec := range g.hanging[from] {
		copied := *rec
		copied.id, copied.parent = strconv.FormatUint(g.next, 10), to
		g.next++
		if rec.space != "" {
			copied.space = replica(rec.space, "", r)
		}
		g.put(&copied, rec.storage)
		g.copyHanging(rec.id, copied.id, r)
	}
}
