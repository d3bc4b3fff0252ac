package markup

import "strings"

// look is the marks around a token: a set of marks and a link.
type look struct {
	bits  uint16 // 1<<markKind
	link  string
	title string
}

func (l look) has(k markKind) bool { return l.bits&(1<<k) != 0 }

// with adds a mark.
func (l look) with(k markKind) look {
	l.bits |= 1 << k
	return l
}

// tokenKind says what a token is.
type tokenKind uint8

const (
	tWord  tokenKind = iota // letters and digits, or one other character
	tSpace                  // white space
	tBreak                  // forced line break
	tImage                  // a picture: text is the alt text, link its address
	tTag                    // a tag inside an HTML block
)

// token is one word, blank, break or picture of a leaf.
type token struct {
	kind      tokenKind
	text      string
	look      look
	link      string // address of a picture
	md, mdEnd int32
}

func (a token) equal(b token) bool {
	return a.kind == b.kind && (a.text == b.text || a.kind == tSpace) && a.look == b.look && a.link == b.link
}

// mnode is one block of parsed Markdown.
type mnode struct {
	kind    kind
	task    task
	ordered bool
	headed  bool // table: has a header row
	level   int8
	start   int
	tag     string
	title   string
	handle  string
	raw     string // body of code, placeholder, storage and HTML blocks
	lines   []span // where the lines of raw stand
	tokens  []token
	kids    []*mnode
	at      int32 // where it begins in the Markdown
	end     int32
	sum     uint64
	tie     *block // the block of the page it came from
	mark    markerKind
}

type span struct{ from, to int32 }

// markerKind tells the comment and details lines that open and close containers.
type markerKind uint8

const (
	noMarker markerKind = iota
	opens
	closes
	ignored
)

// text is the visible text of a leaf or, of a container, of all its leaves.
func (m *mnode) text() string {
	var b strings.Builder
	m.writeText(&b)
	return b.String()
}

func (m *mnode) writeText(b *strings.Builder) {
	if m.raw != "" && m.kind != kText {
		b.WriteString(m.raw)
		b.WriteByte('\n')
	}
	for _, t := range m.tokens {
		if t.kind != tTag {
			b.WriteString(t.text)
		}
	}
	for _, k := range m.kids {
		b.WriteByte('\n')
		k.writeText(b)
	}
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func mix(h uint64, s string) uint64 {
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime
}

func mixN(h, n uint64) uint64 {
	for range 8 {
		h = (h ^ n&0xff) * fnvPrime
		n >>= 8
	}
	return h
}

// hash sums what the block says, not how its Markdown is spelled.
func (m *mnode) hash() uint64 {
	if m.sum != 0 {
		return m.sum
	}
	h := mixN(fnvOffset, uint64(m.kind)|uint64(m.task)<<8|uint64(uint8(m.level))<<16)
	if m.ordered {
		h = mixN(h, uint64(m.start)+7)
	}
	h = mix(mix(mix(mix(h, m.tag), m.title), m.handle), m.raw)
	for _, t := range m.tokens {
		h = mixN(h, uint64(t.kind)|uint64(t.look.bits)<<8)
		if t.kind != tSpace {
			h = mix(h, t.text)
		}
		if t.look.link != "" || t.link != "" {
			h = mix(mix(h, t.look.link), t.link)
		}
	}
	for _, k := range m.kids {
		h = mixN(h, k.hash())
	}
	m.sum = h | 1
	return m.sum
}
