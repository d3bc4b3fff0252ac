package markup

import (
	"unicode"
	"unicode/utf8"
)

// openText makes the block of a paragraph whose first character is due.
func (r *renderer) openText() {
	p := r.in.pending
	if p == nil {
		p = &pendingText{}
	}
	b := r.open(kText, p.node)
	b.level = r.in.level
	if p.node == nil && p.at != nil {
		b.src, b.srcEnd = p.at.Start, p.at.End
		r.in.runEnd = p.at
	}
	for i := int8(0); i < b.level; i++ {
		r.out = append(r.out, '#')
	}
	if b.level > 0 {
		r.out = append(r.out, ' ')
	}
	b.pieces = int32(len(r.pieces))
	r.text = b
	r.in.pending = nil
}

// endText closes what is open of a text block; white space and breaks at its
// end show nothing.
func (r *renderer) endText() {
	r.in.space, r.in.level = false, 0
	r.in.breaks = r.in.breaks[:0]
	r.in.pending = nil
	if r.text != nil {
		r.closeMarks(0, ' ')
		b := r.text
		b.piecesEnd = int32(len(r.pieces))
		b.mdEnd = int32(len(r.out))
		if b.node == nil {
			r.closeRun(b)
		}
	}
	r.text = nil
	r.in.have = r.in.have[:0]
	r.in.runEnd = nil
	r.in.dirty = true
}

// closeRun sets the end of a run without an element: its last inline node.
func (r *renderer) closeRun(b *block) {
	if b.piecesEnd > b.pieces {
		b.srcEnd = max(b.srcEnd, r.pieces[b.piecesEnd-1].srcEnd)
	}
	r.extendRun()
	if b.broken && b.piecesEnd > b.pieces {
		b.src, b.srcEnd = r.pieces[b.pieces].src, r.pieces[b.piecesEnd-1].srcEnd
	}
}

// extendRun takes the last inline node into the run when it showed something.
func (r *renderer) extendRun() {
	b, n := r.text, len(r.pieces)
	if r.in.runEnd != nil && n > int(b.pieces) && r.in.runEnd.Start < r.pieces[n-1].srcEnd {
		b.srcEnd = max(b.srcEnd, r.in.runEnd.End)
	}
}

func (r *renderer) closeMarks(keep int, next byte) {
	for i := len(r.in.have) - 1; i >= keep; i-- {
		m := r.in.have[i]
		if (m.kind == mStrong || m.kind == mEm || m.kind == mDel) && m.open[0] != '<' && !r.mayClose(next) {
			r.spellAsHTML(&m)
		}
		r.out = append(r.out, m.close...)
	}
	r.in.have = r.in.have[:min(keep, len(r.in.have))]
}

func (r *renderer) openMark(m mark, next byte) {
	if (m.kind == mStrong || m.kind == mEm || m.kind == mDel) && m.open[0] != '<' && !r.mayOpen(m, next) {
		m.open, m.close = "<"+markTags[m.kind]+">", "</"+markTags[m.kind]+">"
	}
	m.opened = int32(len(r.out))
	r.out = append(r.out, m.open...)
	r.in.have = append(r.in.have, m)
}

// mayOpen is the left-flanking rule of CommonMark: between a letter and
// punctuation a run of stars opens nothing. next is the character after it, or
// 'a' for any letter beyond ASCII.
func (r *renderer) mayOpen(m mark, next byte) bool {
	if len(r.out) == 0 {
		return true
	}
	last, _ := utf8.DecodeLastRune(r.out)
	if n := len(r.in.have); n > 0 && int(r.in.have[n-1].opened)+len(r.in.have[n-1].open) == len(r.out) {
		return true
	}
	if last == rune(m.open[0]) || next == ' ' {
		return false
	}
	return asciiWord(next) || !unicode.IsLetter(last) && !unicode.IsDigit(last)
}

func (r *renderer) mayClose(next byte) bool {
	last, _ := utf8.DecodeLastRune(r.out)
	if unicode.IsLetter(last) || unicode.IsDigit(last) {
		return true
	}
	if unicode.IsSpace(last) {
		return false
	}
	return next == ' ' || next < 0x80 && !asciiWord(next) && next != '*'
}

func asciiWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// spellAsHTML replaces an opening mark that turned out not to be closable.
// Everything after it moves by the difference.
func (r *renderer) spellAsHTML(m *mark) {
	tag := "<" + markTags[m.kind] + ">"
	at, width := int(m.opened), len(m.open)
	shift := len(tag) - width
	tail := append([]byte(tag), r.out[at+width:]...)
	r.out = append(r.out[:at], tail...)
	for i := len(r.pieces) - 1; i >= 0 && int(r.pieces[i].md) >= at; i-- {
		r.pieces[i].md += int32(shift)
		r.pieces[i].mdEnd += int32(shift)
	}
	for i := range r.in.have {
		if r.in.have[i].opened > m.opened {
			r.in.have[i].opened += int32(shift)
		}
	}
	m.open, m.close = tag, "</"+markTags[m.kind]+">"
}
