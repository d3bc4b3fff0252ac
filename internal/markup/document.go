package markup

import (
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/markup/storage"
)

// Document is a parsed page. It is immutable and safe for concurrent use.
type Document struct {
	tree *storage.Tree
}

// Parse reads a storage value. The document is never nil: with an [Error] of
// code markup.malformed or markup.too_large it holds what a tolerant reader
// sees, which may be shown and must not be edited.
func Parse(value string) (*Document, error) {
	d := &Document{tree: storage.Parse(value)}
	if d.tree.Fault != nil {
		return d, faultError(d.tree.Fault)
	}
	return d, nil
}

// Rendered is a page as Markdown. Hidden counts characters left out because
// they show nothing: zero width, direction marks, tags.
type Rendered struct {
	Text   string
	Blocks []Block
	Hidden int
}

// Block is one block of a page in reading order. Handle names it in edits and
// stays the same while the block and the headings above it do. Start and End
// are bytes of the Markdown; Path is the headings above it, outermost first.
type Block struct {
	Handle string   `json:"handle"`
	Kind   string   `json:"kind"`
	Level  int      `json:"level,omitempty"`
	Path   []string `json:"path,omitempty"`
	Text   string   `json:"text"`
	Start  int      `json:"start"`
	End    int      `json:"end"`
}

// Heading is one line of an outline. Size is the length of its section in
// bytes of Markdown, sub-sections included.
type Heading struct {
	Handle string   `json:"handle"`
	Level  int      `json:"level"`
	Text   string   `json:"text"`
	Path   []string `json:"path"`
	Size   int      `json:"size"`
}

// Passage is the text under one heading, without marks, for an index.
type Passage struct {
	Path []string
	Text string
	Code string
}

// Markdown renders the page.
func (d *Document) Markdown(v View) Rendered {
	p := render(d.tree, v)
	return Rendered{Text: p.text, Blocks: p.blocks(), Hidden: p.hidden}
}

// Outline lists the headings of the page.
func (d *Document) Outline(v View) []Heading {
	p := render(d.tree, v)
	var out []Heading
	for _, e := range p.entries() {
		if !e.block.heading() {
			continue
		}
		kids := p.section(e.block)
		last := kids[len(kids)-1]
		out = append(out, Heading{Handle: e.handle, Level: int(e.block.level), Text: p.visible(e.block), Path: e.path, Size: int(last.mdEnd - e.block.md)})
	}
	return out
}

// Section renders one section: ref is a heading's text, a path "A > B" or a
// handle. Errors: markup.not_found and markup.ambiguous, both with candidates.
func (d *Document) Section(ref string, v View) (string, error) {
	p := render(d.tree, v)
	h, err := p.findSection(ref)
	if err != nil {
		return "", err
	}
	kids := p.section(h)
	return dedent(p.text[h.md:kids[len(kids)-1].mdEnd], p.text, int(h.md)) + "\n", nil
}

// dedent removes the prefix that the lines of a nested section carry.
func dedent(s, text string, at int) string {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	if line == "" {
		return s
	}
	prefix := strings.Map(func(c rune) rune {
		if c == '>' {
			return c
		}
		return ' '
	}, line)
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], prefix)
		if lines[i] == strings.TrimRight(prefix, " ") {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

// Passages splits the visible text of the page by heading.
func (d *Document) Passages(v View) []Passage {
	p := render(d.tree, v)
	out := []passageText{{}}
	for _, e := range p.entries() {
		b := e.block
		if b.heading() {
			out = append(out, passageText{path: append(append([]string(nil), e.path...), p.visible(b))})
			continue
		}
		last := &out[len(out)-1]
		switch {
		case b.kind == kCode:
			last.code.line(p.visible(b))
		case b.kind == kQuote || b.kind == kDetails:
			last.text.line(b.title)
		case b.leaf() && b.kind != kFence:
			last.text.line(p.visible(b))
		}
	}
	if len(out[0].text) == 0 && len(out[0].code) == 0 && len(out) > 1 {
		out = out[1:]
	}
	passages := make([]Passage, len(out))
	for i, one := range out {
		passages[i] = Passage{Path: one.path, Text: string(one.text), Code: string(one.code)}
	}
	return passages
}

// passageText is a passage that still grows.
type passageText struct {
	path       []string
	text, code lines
}

// lines are lines of text, empty ones left out.
type lines []byte

func (l *lines) line(s string) {
	if len(*l) > 0 && s != "" {
		*l = append(*l, '\n')
	}
	*l = append(*l, s...)
}

// cut shortens s to at most n bytes at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
