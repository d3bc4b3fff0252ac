// Package strictyaml reads a YAML document that people wrote by hand: it is
// checked against a JSON Schema before it is decoded, and everything wrong
// with it is reported with line and column.
//
// It refuses what makes YAML surprising, or lets two readers understand a
// document in two ways: duplicate and unknown keys, anchors, aliases, merge
// keys, explicit tags, several documents in one file, and files over a size.
// It knows nothing about what the documents mean. Start reading with
// [Schema.Read].
package strictyaml

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is the largest document that is read.
const MaxBytes = 256 << 10

// Problem is one thing wrong with a document. Line and Column count from 1,
// and are 0 where it concerns the file as a whole.
type Problem struct {
	File    string
	Line    int
	Column  int
	Message string
}

// String is file:line:column: message.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is everything wrong with a document, in the order of the lines.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Schema is a compiled JSON Schema (draft 2020-12).
type Schema struct {
	// Quote has problems show a value that does not match a pattern. It is off
	// for documents in which someone may have written a secret in clear.
	Quote bool

	root, rule *rule
}

// Compile reads a schema. The error is a programmer's: schemas are embedded.
func Compile(source []byte) (*Schema, error) {
	root := &rule{}
	err := strictly(source, root)
	if err == nil {
		err = root.bind(root)
	}
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return &Schema{root: root, rule: root}, nil
}

// At is the part of the schema at a JSON pointer, for documents that hold
// nothing else.
func (s *Schema) At(pointer string) (*Schema, error) {
	part := s.root.at(pointer)
	if part == nil {
		return nil, fmt.Errorf("schema: nothing is at %q", pointer)
	}
	return &Schema{Quote: s.Quote, root: s.root, rule: part}, nil
}

// Document is a document that fits its schema. Value is maps, slices and plain
// values; Root is where they stand.
type Document struct {
	Root  *yaml.Node
	Value any
}

// Read checks data against the schema. name appears in problems. The error is
// [Problems].
func (s *Schema) Read(name string, data []byte) (Document, error) {
	r := reader{name: name, text: data}
	root := r.parse()
	if root == nil {
		return Document{}, r.problems
	}
	value := r.value(root)
	if len(r.problems) > 0 {
		return Document{}, r.problems
	}
	c := check{quote: s.Quote}
	if c.of(s.rule, nil, value); len(c.found) > 0 {
		r.explain(root, c.found)
		return Document{}, r.problems
	}
	return Document{root, value}, nil
}

// Parse is [Schema.Read] into the value into points to, by its yaml tags.
func (s *Schema) Parse(name string, data []byte, into any) error {
	d, err := s.Read(name, data)
	if err != nil {
		return err
	}
	if err := d.Root.Decode(into); err != nil {
		return Problems{{File: name, Line: d.Root.Line, Column: d.Root.Column, Message: err.Error()}}
	}
	return nil
}
