package markup

import (
	"fmt"
	"strings"
)

// hit is one place where the searched text stands: bytes of a leaf's text.
type hit struct {
	leaf     *leafText
	from, to int
}

// leafText is the visible text of a leaf with white space folded, and the
// tokens it is made of.
type leafText struct {
	b      *block
	handle string
	tokens []token
	starts []int
	text   string
}

// foldText makes text comparable: any white space is one blank.
func foldText(s string) string {
	var b strings.Builder
	blank := false
	for _, c := range s {
		if c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == 0xA0 || c == 0x202F {
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
			continue
		}
		blank = false
		b.WriteRune(c)
	}
	return b.String()
}

// leafTokens splits a leaf by its pieces, without parsing its Markdown.
func (p *page) leafTokens(b *block) *leafText {
	l := &leafText{b: b}
	var text strings.Builder
	add := func(t token) {
		if t.kind != tWord && strings.HasSuffix(text.String(), " ") {
			t.text = ""
		}
		l.tokens = append(l.tokens, t)
		l.starts = append(l.starts, text.Len())
		text.WriteString(t.text)
	}
	for _, x := range p.pieces[b.pieces:b.piecesEnd] {
		switch shown := p.shown(b, x); {
		case x.kind == pSame:
			for at := x.md; at < x.mdEnd; {
				n := wordLen(p.text[at:x.mdEnd])
				t := token{kind: tWord, text: p.text[at : at+int32(n)], md: at, mdEnd: at + int32(n)}
				if isBlank(t.text[0]) || t.text == "\u00a0" {
					t.kind, t.text = tSpace, " "
				}
				add(t)
				at += int32(n)
			}
		case x.kind == pSpace || x.kind == pBreak || foldText(shown) == " ":
			add(token{kind: tSpace, text: " ", md: x.md, mdEnd: x.mdEnd})
		default:
			add(token{kind: tWord, text: foldText(shown), md: x.md, mdEnd: x.mdEnd})
		}
	}
	l.text = text.String()
	return l
}

// search finds text in the leaves of the page, or of part of it.
func (e *editor) search(find string, within *block) []hit {
	var out []hit
	e.eachLeaf(within, func(b *block) {
		if b.kind == kFence || b.kind == kRule {
			return
		}
		l := e.p.leafTokens(b)
		for at := 0; ; {
			n := strings.Index(l.text[at:], find)
			if n < 0 {
				return
			}
			out = append(out, hit{l, at + n, at + n + len(find)})
			at += n + len(find)
		}
	})
	return out
}

// eachLeaf visits the leaves of a section, of one block, or of the page.
func (e *editor) eachLeaf(within *block, f func(*block)) {
	roots := []*block{e.p.root}
	if within != nil {
		roots = []*block{within}
		if within.heading() {
			roots = e.p.section(within)
		}
	}
	var walk func(*block)
	walk = func(b *block) {
		if b.leaf() {
			f(b)
		}
		for _, k := range b.kids {
			walk(k)
		}
	}
	for _, b := range roots {
		walk(b)
	}
}

func (e *editor) replaceText(x Edit) error {
	find := foldText(x.Find)
	if strings.TrimSpace(find) == "" {
		return missing("find", x.Op)
	}
	var within *block
	if x.Within != "" {
		b, err := e.place(x.Within)
		if err != nil {
			return err
		}
		within = b
	}
	hits := e.search(find, within)
	if len(hits) == 0 && strings.TrimSpace(find) != find {
		find = strings.TrimSpace(find)
		hits = e.search(find, within)
		x.Replace = strings.TrimSpace(x.Replace)
	}
	switch {
	case len(hits) == 0:
		return e.replaceMarked(x, within)
	case x.Occurrence > len(hits) || x.Occurrence < 0:
		return fail("not_found", "", "%q occurs %d times, not %d", cut(x.Find, 60), len(hits), x.Occurrence)
	case x.Occurrence > 0:
		hits = hits[x.Occurrence-1 : x.Occurrence]
	case len(hits) > 1 && !x.All:
		return e.ambiguous(x.Find, hits)
	}
	return e.replaceAll(hits, x.Replace)
}

// replaceAll replaces hits leaf by leaf.
func (e *editor) replaceAll(hits []hit, replace string) error {
	for i := 0; i < len(hits); {
		j := i
		for j < len(hits) && hits[j].leaf.b == hits[i].leaf.b {
			j++
		}
		if err := e.replaceIn(hits[i:j], replace); err != nil {
			return err
		}
		i = j
	}
	return nil
}

func (e *editor) ambiguous(find string, hits []hit) error {
	err := fail("ambiguous", "Give more of the text around it, occurrence, within or all.", "%q occurs %d times", cut(find, 60), len(hits))
	for i, h := range hits[:min(len(hits), maxCandidates)] {
		from, to := max(0, h.from-40), min(len(h.leaf.text), h.to+40)
		context := strings.ToValidUTF8(h.leaf.text[from:to], "")
		err.Candidates = append(err.Candidates, fmt.Sprintf("%d: …%s…", i+1, context))
	}
	return err
}

// replaceIn replaces all hits in one leaf.
func (e *editor) replaceIn(hits []hit, replace string) error {
	l := hits[0].leaf
	var edited []token
	next := 0
	for i := 0; i < len(hits); {
		first, last := l.tokenAt(hits[i].from), l.lastToken(hits[i].to-1)
		j := i + 1
		for j < len(hits) && l.tokenAt(hits[j].from) <= last {
			last = max(last, l.lastToken(hits[j].to-1))
			j++
		}
		edited = append(edited, l.tokens[next:first]...)
		edited = append(edited, plainTokens(l.replaced(hits[i:j], first, last, replace), l.b.kind, l.atoms(first, last))...)
		next, i = last+1, j
	}
	edited = append(edited, l.tokens[next:]...)
	le := &leafEdit{p: e.p, b: l.b, old: l.tokens, new: edited, free: true}
	if err := le.run(); err != nil {
		return err
	}
	e.pl.take(le)
	return nil
}

// lastToken is the last token that ends with a byte of the text, empty ones included.
func (l *leafText) lastToken(at int) int {
	last := l.tokenAt(at)
	for last+1 < len(l.tokens) && l.starts[last+1] == l.starts[last] {
		last++
	}
	return last
}

// replaced is the text of the tokens first to last with the hits in it replaced.
func (l *leafText) replaced(hits []hit, first, last int, replace string) string {
	var b strings.Builder
	at := l.starts[first]
	for _, h := range hits {
		b.WriteString(l.text[at:h.from])
		b.WriteString(replace)
		at = h.to
	}
	b.WriteString(l.text[at : l.starts[last]+len(l.tokens[last].text)])
	return b.String()
}

// tokenAt is the token that holds a byte of the text.
func (l *leafText) tokenAt(at int) int {
	lo, hi := 0, len(l.starts)
	for lo < hi {
		if mid := (lo + hi) / 2; l.starts[mid] <= at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for lo > 1 && l.tokens[lo-1].text == "" {
		lo--
	}
	return lo - 1
}

// atoms are the texts of mentions, dates and other pieces among some tokens
// that stay or go as a whole.
func (l *leafText) atoms(first, last int) []string {
	var out []string
	for _, t := range l.tokens[first : last+1] {
		if t.kind == tWord && t.text != "" && wordLen(t.text) < len(t.text) {
			out = append(out, t.text)
		}
	}
	return out
}

// plainTokens splits replacement text as plain words. An atom that is named in
// it stays in one piece, so that it can be told from new text.
func plainTokens(s string, k kind, atoms []string) []token {
	var out []token
	for len(s) > 0 {
		n := wordLen(s)
		for _, atom := range atoms {
			if strings.HasPrefix(s, atom) {
				n = len(atom)
			}
		}
		t := token{kind: tWord, text: s[:n]}
		if isBlank(s[0]) {
			t.kind = tSpace
			if k != kCode {
				t.text = " "
			}
		}
		out = append(out, t)
		s = s[n:]
	}
	return out
}

// replaceMarked is the second try: the text may have been copied with its
// Markdown signs. It is replaced in the Markdown and written back.
func (e *editor) replaceMarked(x Edit, within *block) error {
	from, to := 0, len(e.p.text)
	if within != nil {
		from, to = int(within.md), int(within.mdEnd)
		if within.heading() {
			s := e.p.section(within)
			to = int(s[len(s)-1].mdEnd)
		}
	}
	part := e.p.text[from:to]
	count := strings.Count(part, x.Find)
	if count == 0 {
		return e.notFound(x.Find)
	}
	if count > 1 && !x.All && x.Occurrence == 0 {
		return fail("ambiguous", "Give more of the text around it, occurrence, within or all.", "%q occurs %d times in the Markdown", cut(x.Find, 60), count)
	}
	if x.Occurrence > count {
		return fail("not_found", "", "%q occurs %d times, not %d", cut(x.Find, 60), count, x.Occurrence)
	}
	shown, err := e.tree()
	if err != nil {
		return err
	}
	md, err := e.parse(e.p.text[:from] + replaceNth(part, x) + e.p.text[to:])
	if err != nil {
		return err
	}
	return e.pl.kids(shown, md)
}

func replaceNth(s string, x Edit) string {
	if x.Occurrence == 0 {
		return strings.ReplaceAll(s, x.Find, x.Replace)
	}
	at := 0
	for n := 1; ; n++ {
		at += strings.Index(s[at:], x.Find)
		if n == x.Occurrence {
			return s[:at] + x.Replace + s[at+len(x.Find):]
		}
		at += len(x.Find)
	}
}

func (e *editor) notFound(find string) error {
	err := fail("not_found", "Copy the text as the page shows it; it must stand in one block.", "the page does not show %q", cut(find, 80))
	if words := strings.Fields(foldText(find)); len(words) > 0 {
		longest := words[0]
		for _, w := range words {
			if len(w) > len(longest) {
				longest = w
			}
		}
		for _, h := range e.search(longest, nil) {
			if len(err.Candidates) < 3 {
				err.Candidates = append(err.Candidates, "…"+strings.ToValidUTF8(h.leaf.text[max(0, h.from-40):min(len(h.leaf.text), h.to+60)], "")+"…")
			}
		}
	}
	return err
}
