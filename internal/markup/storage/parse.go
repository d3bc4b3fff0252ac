package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of one value. Real pages nest 32 elements at the deepest and the
// largest known is 1.5 MB with about 60,000 nodes.
const (
	maxBytes = 16 << 20
	maxNodes = 250_000
	maxDepth = 256
)

// Parse reads a storage value. See [Tree.Fault] for what is wrong with it.
func Parse(src string) *Tree {
	p := parser{src: src, tree: &Tree{Source: src}}
	if len(src) > maxBytes {
		p.fault("too_large", maxBytes, fmt.Sprintf("the page is larger than %d bytes", maxBytes))
		p.src = src[:maxBytes]
	}
	p.checkCharacters()
	p.cur = p.node(Element, 0)
	p.cur.End = int32(len(p.src))
	p.cur.CloseStart = p.cur.End
	p.tree.Root = p.cur
	p.run()
	return p.tree
}

type parser struct {
	src     string
	tree    *Tree
	cur     *Node
	depth   int
	skipped int // open elements beyond maxDepth
	nodes   int
	pool    []Node
	names   map[string]string
	first   int // offset of the recorded fault
}

// node takes a fresh node from a pool; a page has tens of thousands.
func (p *parser) node(k Kind, start int) *Node {
	if len(p.pool) == 0 {
		p.pool = make([]Node, min(max(16, p.nodes), 1024))
	}
	n := &p.pool[0]
	p.pool = p.pool[1:]
	p.nodes++
	n.Kind, n.Start = k, int32(start)
	return n
}

func (p *parser) add(n *Node) {
	n.Parent = p.cur
	if p.cur.Last == nil {
		p.cur.First = n
	} else {
		p.cur.Last.Next, n.Prev = n, p.cur.Last
	}
	p.cur.Last = n
}

// fault keeps the mistake that stands first in the text.
func (p *parser) fault(code string, at int, message string) {
	if p.tree.Fault != nil && p.first <= at {
		return
	}
	p.first = at
	line := 1 + strings.Count(p.src[:min(at, len(p.src))], "\n")
	column := min(at, len(p.src)) - strings.LastIndexByte(p.src[:min(at, len(p.src))], '\n')
	p.tree.Fault = &Fault{Code: code, Message: message, Offset: at, Line: line, Column: column}
}

func (p *parser) malformed(at int, format string, args ...any) {
	if p.tree.Fault == nil || at < p.first {
		p.fault("malformed", at, fmt.Sprintf(format, args...))
	}
}

func (p *parser) checkCharacters() {
	for i := 0; i < len(p.src); i++ {
		if c := p.src[i]; c < 0x20 && !isSpace(c) {
			p.malformed(i, "control character U+%04X", c)
			break
		}
	}
	if utf8.ValidString(p.src) {
		for _, bad := range []string{"\uFFFE", "\uFFFF"} {
			if i := strings.Index(p.src, bad); i >= 0 {
				p.malformed(i, "character that XML forbids")
			}
		}
		return
	}
	for i, r := range p.src {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(p.src[i:]); n == 1 {
				p.malformed(i, "invalid UTF-8")
				return
			}
		}
	}
}

func (p *parser) run() {
	at := 0
	for at < len(p.src) {
		if p.nodes >= maxNodes {
			p.fault("too_large", at, fmt.Sprintf("the page has more than %d nodes", maxNodes))
			p.cutAt(at)
			break
		}
		if p.src[at] != '<' {
			at = p.text(at, at)
			continue
		}
		at = p.markup(at)
	}
	p.finish(at)
}

// cutAt ends every open element where reading stopped.
func (p *parser) cutAt(at int) {
	p.tree.Root.CloseStart, p.tree.Root.End = int32(at), int32(at)
}

func (p *parser) finish(at int) {
	if p.cur != p.tree.Root && p.tree.Fault == nil {
		p.malformed(at, "<%s> opened at offset %d is never closed", p.cur.Name, p.cur.Start)
	}
	for n := p.cur; n != p.tree.Root; n = n.Parent {
		n.CloseStart, n.End = int32(at), int32(at)
	}
}

// text reads up to the next tag. from is where the node begins, which is
// before at when a stray '<' is taken as text.
func (p *parser) text(from, at int) int {
	end := strings.IndexByte(p.src[at:], '<')
	if end < 0 {
		end = len(p.src)
	} else {
		end += at
	}
	n := p.node(Text, from)
	n.OpenEnd, n.CloseStart, n.End = int32(from), int32(end), int32(end)
	p.add(n)
	p.checkReferences(at, end)
	if i := strings.Index(p.src[at:end], "]]>"); i >= 0 {
		p.malformed(at+i, "]]> outside a CDATA section")
	}
	return end
}

func (p *parser) checkReferences(at, end int) {
	for at < end {
		i := strings.IndexByte(p.src[at:end], '&')
		if i < 0 {
			return
		}
		at += i
		_, n := Reference(p.src[at:end])
		if n == 0 {
			p.malformed(at, "%q is no known character reference; a plain & is written &amp;", p.src[at:min(end, at+12)])
			n = 1
		}
		at += n
	}
}

func (p *parser) markup(at int) int {
	rest := p.src[at:]
	switch {
	case strings.HasPrefix(rest, "<![CDATA["):
		return p.delimited(CDATA, at, "<![CDATA[", "]]>")
	case strings.HasPrefix(rest, "<!--"):
		return p.delimited(Comment, at, "<!--", "-->")
	case strings.HasPrefix(rest, "<?"):
		return p.delimited(Instruction, at, "<?", "?>")
	case strings.HasPrefix(rest, "</"):
		return p.closeTag(at)
	case strings.HasPrefix(rest, "<!"):
		p.malformed(at, "document type declarations are not allowed")
		return p.delimited(Instruction, at, "<!", ">")
	case len(rest) > 1 && isNameStart(rest[1]):
		return p.openTag(at)
	}
	p.malformed(at, "a plain < is written &lt;")
	return p.text(at, at+1)
}

func (p *parser) delimited(k Kind, at int, open, end string) int {
	n := p.node(k, at)
	from := at + len(open)
	stop := strings.Index(p.src[from:], end)
	if stop < 0 {
		p.malformed(at, "%s is never closed", open)
		n.OpenEnd, n.CloseStart, n.End = int32(from), int32(len(p.src)), int32(len(p.src))
		p.add(n)
		return len(p.src)
	}
	n.OpenEnd, n.CloseStart, n.End = int32(from), int32(from+stop), int32(from+stop+len(end))
	if k == Comment && strings.Contains(p.src[from:from+stop], "--") {
		p.malformed(at, "-- inside a comment")
	}
	p.add(n)
	return int(n.End)
}
