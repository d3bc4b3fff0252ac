// Package strictyaml reads a YAML document that people wrote by hand: it is
// checked against a JSON Schema before it is decoded, and everything wrong
// with it is reported with line and column.
//
// It refuses what makes YAML surprising: duplicate keys, unknown keys, anchors,
// aliases, merge keys, several documents in one file, and files over a size.
// It knows nothing about what the documents mean.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// MaxBytes is the largest document that is read.
const MaxBytes = 256 << 10

// Problem is one thing wrong with a document. Line and Column count from 1.
type Problem struct {
	File    string
	Line    int
	Column  int
	Path    string // "groups.pages.level"; empty for the document
	Message string
}

// String is file:line:column: path: message.
func (p Problem) String() string {
	where := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	if p.Path != "" {
		where += ": " + p.Path
	}
	return where + ": " + p.Message
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
type Schema struct{ compiled *jsonschema.Schema }

// Compile reads a schema. The error is a programmer's: schemas are embedded.
func Compile(source []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return &Schema{compiled: compiled}, nil
}

// Parse checks data against the schema and decodes it into the value into
// points to. name appears in problems. The error is [Problems]. The node is
// the root of the document, for callers that report problems of their own.
func (s *Schema) Parse(name string, data []byte, into any) (*yaml.Node, error) {
	root, problems := parse(name, data)
	if problems != nil {
		return nil, problems
	}
	if err := s.compiled.Validate(plain(root)); err != nil {
		return nil, schemaProblems(name, root, err)
	}
	if err := root.Decode(into); err != nil {
		return nil, Problems{{File: name, Line: root.Line, Column: root.Column, Message: err.Error()}}
	}
	return root, nil
}

func parse(name string, data []byte) (*yaml.Node, Problems) {
	if len(data) > MaxBytes {
		return nil, Problems{{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("the file has %d bytes; at most %d are read", len(data), MaxBytes)}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, Problems{syntaxProblem(name, err)}
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, Problems{{File: name, Line: max(second.Line, 1), Column: 1, Message: "one document a file; remove what follows the first"}}
	}
	root := doc.Content[0]
	var found Problems
	refuseSurprises(name, root, "", &found)
	if found != nil {
		return nil, found
	}
	return root, nil
}

// syntaxProblem takes the line out of the library's "yaml: line N: text".
func syntaxProblem(name string, err error) Problem {
	p := Problem{File: name, Line: 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if errors.Is(err, io.EOF) {
		p.Message = "the file is empty"
	}
	rest, ok := strings.CutPrefix(p.Message, "line ")
	if !ok {
		return p
	}
	number, text, ok := strings.Cut(rest, ": ")
	if line, err := strconv.Atoi(number); ok && err == nil {
		p.Line, p.Message = line, text
	}
	return p
}

func refuseSurprises(name string, n *yaml.Node, path string, found *Problems) {
	report := func(at *yaml.Node, message string) {
		*found = append(*found, Problem{File: name, Line: at.Line, Column: at.Column, Path: path, Message: message})
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		report(n, "anchors and aliases are not allowed; write the value out")
		return
	}
	if n.Kind != yaml.MappingNode {
		for i, c := range n.Content {
			refuseSurprises(name, c, join(path, strconv.Itoa(i)), found)
		}
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			report(key, "merge keys and compound keys are not allowed")
			continue
		case seen[key.Value]:
			report(key, fmt.Sprintf("the key %q stands here twice", key.Value))
		}
		seen[key.Value] = true
		refuseSurprises(name, value, join(path, key.Value), found)
	}
}

// plain turns nodes into the values a JSON Schema validator takes.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, c := range n.Content {
			l[i] = plain(c)
		}
		return l
	default:
		return scalar(n)
	}
}

func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) == nil {
			return f
		}
	}
	return n.Value
}

func schemaProblems(name string, root *yaml.Node, err error) Problems {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return Problems{{File: name, Line: 1, Column: 1, Message: err.Error()}}
	}
	var out Problems
	for _, leaf := range leaves(invalid) {
		out = append(out, leafProblems(name, root, leaf)...)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Line < out[j].Line })
	return out
}

func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}
