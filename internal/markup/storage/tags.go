package storage

import "strings"

func (p *parser) openTag(at int) int {
	i := at + 1
	for i < len(p.src) && isNameByte(p.src[i]) {
		i++
	}
	name := p.intern(p.src[at+1 : i])
	end, empty := p.attributes(at, i)
	if p.depth >= maxDepth {
		p.fault("too_deep", at, "elements are nested too deep")
		if !empty {
			p.skipped++
		}
		return end
	}
	n := p.node(Element, at)
	n.Name = name
	n.OpenEnd, n.CloseStart, n.End = int32(end), int32(end), int32(end)
	p.add(n)
	if !empty {
		p.cur = n
		p.depth++
	}
	return end
}

// intern keeps one copy of each element name, so that comparing names mostly
// compares pointers and the tree does not grow with them.
func (p *parser) intern(s string) string {
	if p.names == nil {
		p.names = map[string]string{}
	}
	if known, ok := p.names[s]; ok {
		return known
	}
	p.names[s] = s
	return s
}

// attributes reads to the end of an open tag whose name ends at i.
func (p *parser) attributes(at, i int) (end int, empty bool) {
	for {
		space := i
		for i < len(p.src) && isSpace(p.src[i]) {
			i++
		}
		if i >= len(p.src) {
			p.malformed(at, "the tag is never closed")
			return len(p.src), true
		}
		switch {
		case p.src[i] == '>':
			return i + 1, false
		case strings.HasPrefix(p.src[i:], "/>"):
			return i + 2, true
		}
		next, ok := p.attribute(i)
		if !ok || i == space {
			p.malformed(i, "a bad attribute in the tag")
			return p.skipTag(i)
		}
		i = next
	}
}

func (p *parser) skipTag(i int) (end int, empty bool) {
	n := strings.IndexByte(p.src[i:], '>')
	if n < 0 {
		return len(p.src), true
	}
	return i + n + 1, n > 0 && p.src[i+n-1] == '/'
}

func (p *parser) attribute(i int) (next int, ok bool) {
	if !isNameStart(p.src[i]) {
		return i, false
	}
	a := attrs{src: p.src, at: i, end: len(p.src)}
	if !a.next() {
		return i, false
	}
	value := p.src[a.from:a.to]
	if lt := strings.IndexByte(value, '<'); lt >= 0 {
		p.malformed(a.from+lt, "a < inside an attribute value")
	}
	p.checkReferences(a.from, a.to)
	return a.at, true
}

func (p *parser) closeTag(at int) int {
	i := at + 2
	for i < len(p.src) && isNameByte(p.src[i]) {
		i++
	}
	name := p.src[at+2 : i]
	for i < len(p.src) && isSpace(p.src[i]) {
		i++
	}
	if i >= len(p.src) || p.src[i] != '>' {
		p.malformed(at, "a bad closing tag")
		i, _ = p.skipTag(at)
		i--
	}
	end := i + 1
	if p.skipped > 0 {
		p.skipped--
		return end
	}
	p.closeElement(name, at, end)
	return end
}

// closeElement ends the innermost open element of that name and, in broken
// markup, whatever was left open inside it.
func (p *parser) closeElement(name string, at, end int) {
	n := p.cur
	if n.Name != name {
		p.malformed(at, "</%s> does not match <%s>", name, n.Name)
		for n != p.tree.Root && n.Name != name {
			n = n.Parent
		}
	}
	if n == p.tree.Root {
		return
	}
	for p.cur != n {
		p.cur.CloseStart, p.cur.End = int32(at), int32(at)
		p.pop()
	}
	n.CloseStart, n.End = int32(at), int32(end)
	p.pop()
}

func (p *parser) pop() {
	p.cur = p.cur.Parent
	p.depth--
}
