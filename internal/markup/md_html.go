package markup

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark/ast"

	"confluence-mcp/internal/markup/storage"
)

// maxNestedHTML is how deep <details> may stand in each other on one line.
const maxNestedHTML = 8

// htmlBlock reads raw HTML: the comment lines around macro bodies, <details>,
// block handles, and tables; anything else stays raw.
func (p *mdParser) htmlBlock(n *ast.HTMLBlock) *mnode {
	m := &mnode{kind: kHTML}
	lines := n.Lines()
	var b bytes.Buffer
	for i := range lines.Len() {
		s := lines.At(i)
		b.Write(s.Value(p.src))
		m.lines = append(m.lines, span{int32(s.Start), int32(s.Stop)})
	}
	if n.HasClosure() {
		b.Write(n.ClosureLine.Value(p.src))
		m.lines = append(m.lines, span{int32(n.ClosureLine.Start), int32(n.ClosureLine.Stop)})
	}
	m.raw = strings.TrimSpace(b.String())
	p.recognise(m)
	return m
}

func (p *mdParser) recognise(m *mnode) {
	lower := strings.ToLower(m.raw)
	switch {
	case strings.HasPrefix(m.raw, "<!-- macro:"):
		m.mark, m.kind = opens, kMacro
		body := strings.TrimSuffix(strings.TrimPrefix(m.raw, "<!-- macro:"), "-->")
		m.tag, m.handle, _ = strings.Cut(strings.TrimSpace(body), " ")
		m.raw = ""
	case m.raw == "<!-- /macro -->":
		m.mark, m.kind = closes, kMacro
	case strings.HasPrefix(lower, "<details") && strings.Contains(lower, ">") && p.nested < maxNestedHTML:
		p.details(m)
	case lower == "</details>":
		m.mark, m.kind = closes, kDetails
	case strings.HasPrefix(m.raw, "<!--") && strings.HasSuffix(m.raw, "-->") && strings.Count(m.raw, "<!--") == 1:
		m.mark = ignored
	default:
		m.tokens = p.htmlTokens(m.lines)
	}
}

// details reads the opening of an expand section. What follows the summary on
// the same lines becomes its first paragraph.
func (p *mdParser) details(m *mnode) {
	rest := m.raw[strings.IndexByte(m.raw, '>')+1:]
	m.mark, m.kind, m.raw = opens, kDetails, ""
	lower := strings.ToLower(rest)
	from, to := strings.Index(lower, "<summary>"), strings.Index(lower, "</summary>")
	if from >= 0 && to > from {
		m.title = strings.TrimSpace(storage.Decode(rest[from+len("<summary>") : to]))
		rest = strings.TrimSpace(rest[to+len("</summary>"):])
	}
	closed := false
	if i := strings.LastIndex(strings.ToLower(rest), "</details>"); i >= 0 {
		rest, closed = strings.TrimSpace(rest[:i]), true
	}
	if rest != "" {
		if inner, err := parseNested(rest, p.nested+1); err == nil {
			m.kids = inner.kids
			for _, k := range m.kids {
				k.forget()
			}
		}
	}
	if closed {
		m.mark = noMarker
	}
}

// forget drops positions that belong to another text.
func (m *mnode) forget() {
	m.lines, m.at, m.end = nil, 0, 0
	for _, k := range m.kids {
		k.forget()
	}
}

// fold nests what stands between opening and closing lines.
func (p *mdParser) fold(in []*mnode) ([]*mnode, error) {
	var stack []*mnode
	out := &mnode{}
	cur := out
	for _, m := range in {
		switch m.mark {
		case ignored:
		case opens:
			m.mark = noMarker
			cur.kids = append(cur.kids, m)
			stack = append(stack, cur)
			cur = m
		case closes:
			if len(stack) == 0 || cur.kind != m.kind {
				return out.kids, p.unpaired(m, "ends what was never begun")
			}
			cur.end = m.at
			cur, stack = stack[len(stack)-1], stack[:len(stack)-1]
		default:
			cur.kids = append(cur.kids, m)
		}
	}
	if len(stack) > 0 {
		return out.kids, p.unpaired(cur, "is begun and never ended")
	}
	return out.kids, nil
}

func (p *mdParser) unpaired(m *mnode, what string) *Error {
	err := fail("invalid", "Keep the <!-- macro: --> and <details> lines in pairs.", "a %s %s", kindNames[m.kind], what)
	err.Line = 1 + strings.Count(p.md[:m.at], "\n")
	err.Column, err.Offset = 1, int(m.at)
	return err
}

// htmlTokens splits an HTML block into tags and words.
func (p *mdParser) htmlTokens(lines []span) []token {
	var out []token
	for _, l := range lines {
		at := l.from
		for at < l.to {
			t := p.htmlToken(at, l.to)
			at = t.mdEnd
			out = append(out, t)
		}
	}
	return nameless(out)
}

func (p *mdParser) htmlToken(at, end int32) token {
	s := p.md[at:end]
	if s[0] == '<' {
		if n := strings.IndexByte(s, '>'); n > 0 {
			return token{kind: tTag, text: s[:n+1], md: at, mdEnd: at + int32(n) + 1}
		}
	}
	if s[0] == '&' {
		if text, n := storage.Reference(s); n > 0 {
			return token{kind: tWord, text: text, md: at, mdEnd: at + int32(n)}
		}
	}
	n := wordLen(s)
	k := tWord
	if isBlank(s[0]) {
		k = tSpace
	}
	return token{kind: k, text: s[:n], md: at, mdEnd: at + int32(n)}
}
