package wiki

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	gr := &grower{growth: g, node: map[string]int{}, hanging: map[string][]fields{}, next: firstHangingID}
	out := bufio.NewWriterSize(w, 1<<20)
	gr.lines = newLines(out)
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
	if gr.lines.err == nil {
		gr.lines.err = out.Flush()
	}
	if gr.lines.err != nil {
		return fmt.Errorf("growing the site: %w", gr.lines.err)
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

// with is a copy with other values.
func (f fields) with(pairs ...string) fields {
	out := make(fields, len(f))
	for k, v := range f {
		out[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		raw, _ := json.Marshal(pairs[i+1]) // a string cannot fail
		out[pairs[i]] = raw
	}
	return out
}

type grower struct {
	growth  Growth
	lines   *lines
	spaces  []fields
	nodes   []fields
	node    map[string]int      // position by id
	hanging map[string][]fields // comments and attachments by parent id
	highest uint64              // numeric id
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
		g.keep(f)
		if g.growth.Cut > 0 && f["storage"] != nil {
			f = f.with("storage", cutStorage(f.text("storage"), g.growth.Cut))
		}
		g.lines.put(f)
	}
}

func (g *grower) keep(f fields) {
	switch kind := f.text("type"); {
	case f.text("kind") == "space":
		g.spaces = append(g.spaces, f)
	case f.text("kind") != "content":
	case kind == "comment" || kind == "attachment":
		g.hanging[f.text("parent")] = append(g.hanging[f.text("parent")], f)
	default:
		g.node[f.text("id")] = len(g.nodes)
		g.nodes = append(g.nodes, f)
	}
	if n, err := strconv.ParseUint(f.text("id"), 10, 64); err == nil && n < firstHangingID/2 {
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
		id := strconv.Itoa(1 + r*len(g.spaces) + i)
		if first, err := strconv.Atoi(g.spaces[0].text("id")); err == nil && first > 1 {
			id = strconv.Itoa(500_000_000 + r*len(g.spaces) + i) // away from ids that people write
		}
		g.lines.put(sp.with("id", id, "key", replica(sp.text("key"), "", r), "name", replica(sp.text("name"), " ", r)))
	}
}

// copyNode writes page k. Its parent is the same formula for the parent's b; a
// node whose parent's copy is beyond the end, because the file has it before
// its parent, is left out.
func (g *grower) copyNode(k int) {
	b, r := k%len(g.nodes), k/len(g.nodes)
	base := g.nodes[b]
	copied := base.with("id", g.id(k), "title", replica(base.text("title"), " ", r), "space", replica(base.text("space"), "", r))
	if parent := base.text("parent"); parent != "" {
		at := r*len(g.nodes) + g.node[parent]
		if at >= g.growth.Pages {
			return // its parent is not made any more
		}
		copied = copied.with("parent", g.id(at))
	}
	if base["storage"] != nil {
		text := cutStorage(grownStorage(base.text("storage"), g.growth, k, r), g.growth.Cut)
		copied = copied.with("storage", text+"<p>"+refLine(g.growth, k)+"</p>")
	}
	g.lines.put(copied)
	g.copyHanging(base.text("id"), g.id(k), replica(base.text("space"), "", r))
}

func (g *grower) id(k int) string { return strconv.FormatUint(g.firstID+uint64(k), 10) }

func (g *grower) copyHanging(from, to, space string) {
	for _, f := range g.hanging[from] {
		id := strconv.FormatUint(g.next, 10)
		g.next++
		copied := f.with("id", id, "parent", to)
		if f["space"] != nil {
			copied = copied.with("space", space)
		}
		g.lines.put(copied)
		g.copyHanging(f.text("id"), id, space)
	}
}
