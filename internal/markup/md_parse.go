package markup

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// parseMarkdown reads GFM plus the Confluence forms into a block tree.
func parseMarkdown(md string) (*mnode, error) { return parseNested(md, 0) }

func parseNested(md string, level int) (*mnode, error) {
	if err := checkMarkdown(md); err != nil {
		return nil, err
	}
	src := []byte(md)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	p := &mdParser{src: src, md: md, nested: level}
	root := &mnode{kind: kRoot}
	var err error
	root.kids, err = p.fold(p.blocks(doc))
	return root, err
}

type mdParser struct {
	src    []byte
	md     string
	nested int // how many <details> of the same line this text stands in
}

func (p *mdParser) blocks(parent ast.Node) []*mnode {
	var out []*mnode
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if m := p.block(n); m != nil {
			m.at = int32(max(0, n.Pos()))
			out = append(out, splitList(m)...)
		}
	}
	return out
}

// splitList makes lists of their own of neighbouring tasks: storage keeps tasks
// and plain items apart.
func splitList(m *mnode) []*mnode {
	if m.kind != kList {
		return []*mnode{m}
	}
	var out []*mnode
	for i, it := range m.kids {
		if i == 0 || (it.task == noTask) != (m.kids[i-1].task == noTask) {
			out = append(out, &mnode{kind: kList, ordered: m.ordered && it.task == noTask, start: m.start + i, at: it.at})
			if !m.ordered || it.task != noTask {
				out[len(out)-1].start = 1
			}
		}
		last := out[len(out)-1]
		last.kids = append(last.kids, it)
	}
	return out
}

func (p *mdParser) block(n ast.Node) *mnode {
	switch n := n.(type) {
	case *ast.Heading:
		return &mnode{kind: kText, level: int8(n.Level), tokens: p.inline(n)}
	case *ast.Paragraph, *ast.TextBlock:
		return p.paragraph(n)
	case *ast.ThematicBreak:
		return &mnode{kind: kRule}
	case *ast.FencedCodeBlock:
		return p.fence(n)
	case *ast.CodeBlock:
		m := &mnode{kind: kCode}
		p.body(m, n.Lines())
		return m
	case *ast.HTMLBlock:
		return p.htmlBlock(n)
	case *ast.Blockquote:
		return p.quote(n)
	case *ast.List:
		m := &mnode{kind: kList, ordered: n.IsOrdered(), start: 1}
		if m.ordered {
			m.start = n.Start
		}
		m.kids = p.blocks(n)
		return m
	case *ast.ListItem:
		return p.item(n)
	case *east.Table:
		return p.table(n)
	case *ast.LinkReferenceDefinition:
		return nil
	}
	return nil
}

func (p *mdParser) paragraph(n ast.Node) *mnode {
	tokens := p.inline(n)
	if len(tokens) == 0 {
		return nil
	}
	return &mnode{kind: kText, tokens: tokens}
}

func (p *mdParser) body(m *mnode, lines *text.Segments) {
	var b bytes.Buffer
	for i := range lines.Len() {
		s := lines.At(i)
		b.Write(s.Value(p.src))
		m.lines = append(m.lines, span{int32(s.Start), int32(s.Stop)})
	}
	m.raw = strings.TrimSuffix(b.String(), "\n")
}

func (p *mdParser) fence(n *ast.FencedCodeBlock) *mnode {
	m := &mnode{kind: kCode}
	p.body(m, n.Lines())
	info := ""
	if n.Info != nil {
		info = string(n.Info.Segment.Value(p.src))
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(info), " ")
	switch word {
	case "confluence-storage":
		m.kind = kRaw
	case "confluence":
		m.kind = kFence
		m.handle, m.tag, _ = strings.Cut(strings.TrimSpace(rest), " ")
		m.tag, _, _ = strings.Cut(m.tag, " ")
	default:
		m.tag = word
	}
	return m
}

func (p *mdParser) item(n *ast.ListItem) *mnode {
	m := &mnode{kind: kItem}
	if first := n.FirstChild(); first != nil {
		if box, ok := first.FirstChild().(*east.TaskCheckBox); ok {
			m.task = openTask
			if box.IsChecked {
				m.task = doneTask
			}
		}
	}
	m.kids, _ = p.fold(p.blocks(n))
	return m
}

func (p *mdParser) table(n *east.Table) *mnode {
	m := &mnode{kind: kTable}
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		r := &mnode{kind: kRow, at: int32(max(0, row.Pos()))}
		empty := true
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			cell := &mnode{kind: kCell, tokens: p.inline(c), at: int32(max(0, c.Pos()))}
			empty = empty && len(cell.tokens) == 0
			r.kids = append(r.kids, cell)
		}
		if _, head := row.(*east.TableHeader); head {
			m.start = len(r.kids)
			if empty {
				continue
			}
			m.headed = true
		}
		m.kids = append(m.kids, r)
	}
	return m
}

// quote reads a block quote; a first line such as [!NOTE] makes it a callout.
func (p *mdParser) quote(n *ast.Blockquote) *mnode {
	m := &mnode{kind: kQuote}
	m.kids, _ = p.fold(p.blocks(n))
	if len(m.kids) == 0 || m.kids[0].kind != kText || m.kids[0].level != 0 {
		return m
	}
	first := m.kids[0]
	tag, used := calloutOf(first.tokens)
	if tag == "" {
		return m
	}
	m.tag = tag
	rest := first.tokens[used:]
	line := 0
	for line < len(rest) && !(rest[line].kind == tSpace && rest[line].text == "\n") {
		line++
	}
	m.title = strings.TrimSpace(tokenText(rest[:line]))
	if line < len(rest) {
		first.tokens = rest[line+1:]
	} else {
		m.kids = m.kids[1:]
	}
	return m
}

// calloutOf reads "[!TAG]" at the start of a paragraph.
func calloutOf(ts []token) (tag string, used int) {
	if len(ts) < 4 || ts[0].mdEnd-ts[0].md != 1 || ts[0].text != "[" || ts[1].text != "!" || ts[3].text != "]" || ts[2].kind != tWord {
		return "", 0
	}
	tag = strings.ToUpper(ts[2].text)
	switch tag {
	case "NOTE", "INFO", "TIP", "SUCCESS", "IMPORTANT", "WARNING", "CAUTION", "ERROR", "PANEL":
		return tag, 4
	}
	return "", 0
}

func tokenText(ts []token) string {
	var b strings.Builder
	for _, t := range ts {
		b.WriteString(t.text)
	}
	return b.String()
}
