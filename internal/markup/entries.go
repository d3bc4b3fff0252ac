package markup

import (
	"strconv"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// entry is a block with the headings above it and its name.
type entry struct {
	block  *block
	path   []string
	handle string
}

func (b *block) heading() bool { return b.kind == kText && b.level > 0 }

// entries lists every block but the root in reading order.
func (p *page) entries() []entry {
	w := walker{p: p, seen: map[string]int{}}
	w.walk(p.root)
	return w.out
}

type walker struct {
	p      *page
	out    []entry
	path   []string
	names  []string // path without the names of people, for handles
	levels []int8
	seen   map[string]int
}

func (w *walker) walk(b *block) {
	for _, k := range b.kids {
		for k.heading() && len(w.levels) > 0 && w.levels[len(w.levels)-1] >= k.level {
			w.levels, w.path, w.names = w.levels[:len(w.levels)-1], w.path[:len(w.path)-1], w.names[:len(w.names)-1]
		}
		path := w.path[:len(w.path):len(w.path)]
		w.out = append(w.out, entry{k, path, w.p.blockHandle(k, w.names, w.seen)})
		if k.heading() {
			w.levels = append(w.levels, k.level)
			w.path, w.names = append(path, w.p.visible(k)), append(w.names[:len(w.names):len(w.names)], w.p.named(k))
		}
		w.walk(k)
	}
}

// blockHandle hashes the canonical bytes: local ids, comment markers and white
// space do not count, so that a comment or an editor save keeps the name.
func (p *page) blockHandle(b *block, path []string, seen map[string]int) string {
	if b.handle != "" {
		return b.handle
	}
	content := ""
	switch {
	case b.leaf():
		content = p.named(b)
	case b.node != nil && b.kind != kList && b.kind != kTable:
		content = b.tag + "\x00" + b.title
		for k := b; k != nil && len(k.kids) > 0; k = k.kids[0] {
			content += "\x00" + p.named(k.kids[0])
		}
	case len(b.kids) > 0:
		content = p.firstText(b)
	}
	key := handleOf(kindNames[b.kind]+strconv.Itoa(int(b.level)), strings.Join(path, "\x00"), content)
	n := seen[key]
	seen[key] = n + 1
	if n > 0 {
		return handleOf(key, strconv.Itoa(n))
	}
	return key
}

func (p *page) firstText(b *block) string {
	for len(b.kids) > 0 {
		b = b.kids[0]
	}
	return p.named(b)
}

func (p *page) blocks() []Block {
	var out []Block
	for _, e := range p.entries() {
		text := ""
		if e.block.leaf() {
			text = p.visible(e.block)
		} else {
			text = e.block.title
		}
		out = append(out, Block{Handle: e.handle, Kind: e.block.name(), Level: int(e.block.level), Path: e.path,
			Text: text, Start: int(e.block.md), End: int(e.block.mdEnd)})
	}
	return out
}

func (b *block) name() string {
	switch {
	case b.heading():
		return "heading"
	case b.kind == kItem && b.task != noTask:
		return "task"
	case b.kind == kQuote && b.tag != "":
		return "callout"
	}
	return kindNames[b.kind]
}

// visible is the text a reader sees in a leaf, marks and addresses left out.
func (p *page) visible(b *block) string {
	if b.kind == kFence {
		return b.tag
	}
	var s strings.Builder
	for _, x := range p.pieces[b.pieces:b.piecesEnd] {
		s.WriteString(p.shown(b, x))
	}
	return s.String()
}

// shown is the visible text of one piece.
func (p *page) shown(b *block, x piece) string {
	md := p.text[x.md:x.mdEnd]
	switch x.kind {
	case pSame:
		return md
	case pSpace:
		return " "
	case pBreak:
		return "\n"
	case pChar:
		if b.kind == kHTML {
			return storage.Decode(md)
		}
		if len(md) == 2 && md[0] == '\\' && b.kind != kCode {
			return md[1:]
		}
		return md
	case pAtom:
		return atomLabel(md)
	}
	return ""
}

// atomLabel is what a reader sees of a link, picture or emoji.
func atomLabel(md string) string {
	switch {
	case strings.HasPrefix(md, "!["), strings.HasPrefix(md, "<img"):
		return ""
	case strings.HasPrefix(md, "["):
		if end := strings.LastIndex(md, "]("); end > 0 {
			return unescape(md[1:end])
		}
	case strings.HasPrefix(md, "<a "):
		if i := strings.IndexByte(md, '>'); i > 0 {
			return storage.Decode(strings.TrimSuffix(md[i+1:], "</a>"))
		}
	case strings.HasPrefix(md, "<http"):
		return storage.Decode(strings.Trim(md, "<>"))
	}
	return md
}

// unescape undoes backslash escapes.
func unescape(s string) string {
	if !strings.Contains(s, "\\") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && s[i+1] < 0x80 && !asciiWord(s[i+1]) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
