package storage

import "strings"

// Kind tells what a [Node] is.
type Kind uint8

// The kinds of node.
const (
	Element Kind = iota
	Text
	CDATA
	Comment
	Instruction
)

// Node is one node of a [Tree]. All offsets are bytes of Tree.Source.
//
// An element owns [Start,End): its open tag is [Start,OpenEnd), its content
// [OpenEnd,CloseStart), its close tag [CloseStart,End). Of an empty element
// (<br />) OpenEnd, CloseStart and End are equal. Of the other kinds
// [OpenEnd,CloseStart) is the content without its delimiters.
type Node struct {
	Name                            string // of an element, prefix included: "ac:link"
	Parent, First, Last, Prev, Next *Node
	Start, OpenEnd, CloseStart, End int32
	Kind                            Kind
}

// Tree is a parsed storage value.
type Tree struct {
	Source string
	Root   *Node  // nameless element around the whole value
	Fault  *Fault // first mistake; nil: well-formed
}

// Fault is the first place where a value is not well-formed or is beyond a
// limit. Line and Column count from 1, Column in bytes.
type Fault struct {
	Code    string // "malformed", "too_deep" or "too_large"
	Message string
	Offset  int
	Line    int
	Column  int
}

// Raw is the bytes of the node, tags included.
func (t *Tree) Raw(n *Node) string { return t.Source[n.Start:n.End] }

// Inner is the bytes between the tags or delimiters of the node.
func (t *Tree) Inner(n *Node) string { return t.Source[n.OpenEnd:n.CloseStart] }

// Attr is the decoded value of an attribute, "" when absent.
func (t *Tree) Attr(n *Node, name string) string {
	s, _, _ := t.AttrSpan(n, name)
	return Decode(s)
}

// AttrSpan is the undecoded value of an attribute and where it stands.
// Start is 0 when the attribute is absent.
func (t *Tree) AttrSpan(n *Node, name string) (value string, start, end int) {
	if n.Kind != Element || n.Name == "" {
		return "", 0, 0
	}
	for a := (attrs{src: t.Source, at: int(n.Start) + 1 + len(n.Name), end: int(n.OpenEnd)}); a.next(); {
		if a.name == name {
			return t.Source[a.from:a.to], a.from, a.to
		}
	}
	return "", 0, 0
}

// Attrs calls f for every attribute in order, with its decoded value.
func (t *Tree) Attrs(n *Node, f func(name, value string)) {
	if n.Kind != Element || n.Name == "" {
		return
	}
	for a := (attrs{src: t.Source, at: int(n.Start) + 1 + len(n.Name), end: int(n.OpenEnd)}); a.next(); {
		f(a.name, Decode(t.Source[a.from:a.to]))
	}
}

// Child is the first child element of that name, or nil.
func (n *Node) Child(name string) *Node {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == Element && k.Name == name {
			return k
		}
	}
	return nil
}

// Text is the decoded text of the node and everything in it, adjacent CDATA
// sections joined.
func (t *Tree) Text(n *Node) string {
	if n.Kind == Text {
		return Decode(t.Inner(n))
	}
	if n.Kind == CDATA {
		return t.Inner(n)
	}
	if n.Kind != Element {
		return ""
	}
	if n.First != nil && n.First == n.Last {
		return t.Text(n.First)
	}
	var b strings.Builder
	for k := n.First; k != nil; k = k.Next {
		b.WriteString(t.Text(k))
	}
	return b.String()
}

// Param is the macro parameter of that name, or nil.
func (t *Tree) Param(macro *Node, name string) *Node {
	for k := macro.First; k != nil; k = k.Next {
		if k.Name == "ac:parameter" && t.Attr(k, "ac:name") == name {
			return k
		}
	}
	return nil
}

// attrs walks the attributes of an open tag.
type attrs struct {
	src      string
	at, end  int
	name     string
	from, to int
}

func (a *attrs) next() bool {
	for a.at < a.end && isSpace(a.src[a.at]) {
		a.at++
	}
	from := a.at
	for a.at < a.end && isNameByte(a.src[a.at]) {
		a.at++
	}
	if a.at == from {
		return false
	}
	a.name = a.src[from:a.at]
	for a.at < a.end && isSpace(a.src[a.at]) {
		a.at++
	}
	if a.at >= a.end || a.src[a.at] != '=' {
		return false
	}
	a.at++
	for a.at < a.end && isSpace(a.src[a.at]) {
		a.at++
	}
	if a.at >= a.end || a.src[a.at] != '"' && a.src[a.at] != '\'' {
		return false
	}
	quote := a.src[a.at]
	a.at++
	a.from = a.at
	n := strings.IndexByte(a.src[a.at:a.end], quote)
	if n < 0 {
		return false
	}
	a.to = a.at + n
	a.at = a.to + 1
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ':' || c == '-' || c == '_' || c == '.' || c >= 0x80
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
