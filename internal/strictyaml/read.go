package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader is one document on its way from text to value, with what is wrong.
type reader struct {
	name     string
	text     []byte
	problems Problems
}

func (r *reader) add(n *yaml.Node, text string) {
	p := Problem{File: r.name, Message: text}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

// parse gives the root of the only document, or nil.
func (r *reader) parse() *yaml.Node {
	if len(r.text) > MaxBytes {
		r.add(nil, fmt.Sprintf("the file has %d bytes; at most %d are read", len(r.text), MaxBytes))
		return nil
	}
	if bytes.IndexByte(r.text, 0) >= 0 {
		r.add(nil, "the file has a zero byte; it is not text")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(r.text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		r.syntax(err)
		return nil
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		more.Line, more.Column = max(more.Line, 1), max(more.Column, 1)
		r.add(&more, "a second document starts here; a file holds one")
		return nil
	}
	return doc.Content[0]
}

// syntax turns the library's "yaml: line N: text" into a problem with a line.
func (r *reader) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, after, _ := strings.Cut(rest, ": ")
		if n, convErr := strconv.Atoi(number); convErr == nil {
			line, text = n, after
		}
	}
	if errors.Is(err, io.EOF) {
		text = "the file is empty"
	}
	r.add(&yaml.Node{Line: line, Column: 1}, "broken YAML: "+text)
}

// value turns a node into what the schema judges, and refuses what YAML lets
// two readers understand in two ways.
func (r *reader) value(n *yaml.Node) any {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.add(n, "anchors and aliases are refused; write the value out")
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.add(n, "explicit tags are refused")
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return r.mapping(n)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, r.value(c))
		}
		return list
	default:
		return r.scalar(n)
	}
}

func (r *reader) mapping(n *yaml.Node) any {
	out := make(map[string]any, len(n.Content)/2)
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0:
			r.add(key, "a key is plain text")
		case key.Tag == "!!merge":
			r.add(key, "merge keys are refused; write the values out")
		case first[key.Value] > 0:
			r.add(key, fmt.Sprintf("key %q was already given on line %d", key.Value, first[key.Value]))
		default:
			first[key.Value] = key.Line
			out[key.Value] = r.value(value)
		}
	}
	return out
}

func (r *reader) scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		r.add(n, "the value is missing")
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i
		}
		r.add(n, "the number is out of range")
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && f == f && f < 1e300 && f > -1e300 {
			return f
		}
		r.add(n, "the number is out of range")
	}
	return n.Value
}
