package profile

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// maxBytes is the largest file that is read.
const maxBytes = 256 << 10

const schemaURL = "urn:confluence-mcp:profile:1"

//go:embed schema.json
var schemaJSON string

// Schema is the JSON Schema (draft 2020-12) of a profile file.
func Schema() []byte { return []byte(schemaJSON) }

// Parser reads profile files. It may be used by many goroutines.
type Parser struct {
	schema *jsonschema.Schema // of a file
	given  *jsonschema.Schema // of the call in a test
}

// NewParser compiles the schema once.
func NewParser() (*Parser, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("profile schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("profile schema: %w", err)
	}
	schema, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("profile schema: %w", err)
	}
	given, err := c.Compile(schemaURL + "#/$defs/test/properties/given")
	if err != nil {
		return nil, fmt.Errorf("profile schema: %w", err)
	}
	return &Parser{schema: schema, given: given}, nil
}

// Parse reads one file of at most 256 KiB. The error is always a [Problems];
// name is what its messages call the file.
func (p *Parser) Parse(name string, text []byte) (File, error) {
	d := document{name: name, text: text}
	root, err := d.read()
	if err != nil {
		return File{}, err
	}
	value := d.value(root)
	if len(d.problems) > 0 {
		return File{}, d.problems
	}
	if err := p.schema.Validate(value); err != nil {
		d.addSchema(root, err)
		return File{}, d.problems
	}
	file, err := decode[File](value)
	if err != nil {
		return File{}, d.fail(root, err.Error())
	}
	d.place(root, &file)
	d.checkRules(root, &file)
	if len(d.problems) > 0 {
		return File{}, d.problems
	}
	return file, nil
}

// ParseGiven reads one call in the form that tests use. The error is always a
// [Problems].
func (p *Parser) ParseGiven(name string, text []byte) (Given, error) {
	d := document{name: name, text: text}
	root, err := d.read()
	if err != nil {
		return Given{}, err
	}
	value := d.value(root)
	if len(d.problems) > 0 {
		return Given{}, d.problems
	}
	if err := p.given.Validate(value); err != nil {
		d.addSchema(root, err)
		return Given{}, d.problems
	}
	given, err := decode[Given](value)
	if err != nil {
		return Given{}, d.fail(root, err.Error())
	}
	given.Tool = fullName(given.Tool)
	return given, nil
}

func decode[T any](value any) (T, error) {
	var out T
	raw, err := json.Marshal(value)
	if err != nil {
		return out, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return out, dec.Decode(&out)
}

// document is one file on its way from text to value, with what is wrong.
type document struct {
	name     string
	text     []byte
	problems Problems
}

func (d *document) add(n *yaml.Node, text string) {
	p := Problem{File: d.name, Text: text}
	if n != nil {
		p.Position = Position{Line: n.Line, Column: n.Column}
	}
	d.problems = append(d.problems, p)
}

func (d *document) fail(n *yaml.Node, text string) error {
	d.add(n, text)
	return d.problems
}

// read gives the mapping at the root of the only document.
func (d *document) read() (*yaml.Node, error) {
	if len(d.text) > maxBytes {
		return nil, d.fail(nil, fmt.Sprintf("the file has %d bytes; at most %d are read", len(d.text), maxBytes))
	}
	if i := bytes.IndexByte(d.text, 0); i >= 0 {
		return nil, d.fail(nil, "the file has a zero byte; it is not text")
	}
	dec := yaml.NewDecoder(bytes.NewReader(d.text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, d.syntax(err)
	}
	if err := dec.Decode(&more); err == nil {
		return nil, d.fail(&more, "a second document starts here; a file holds one profile")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, d.fail(root, "a profile is a mapping of keys to values")
	}
	return root, nil
}

// syntax turns the reader's "yaml: line N: text" into a problem with a line.
func (d *document) syntax(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, after, _ := strings.Cut(rest, ": ")
		if n, convErr := strconv.Atoi(number); convErr == nil {
			line, text = n, after
		}
	}
	if text == "EOF" {
		text = "the file is empty"
	}
	return d.fail(&yaml.Node{Line: line, Column: 1}, "broken YAML: "+text)
}

// value turns a node into what the schema judges, and refuses what YAML lets
// two readers understand in two ways.
func (d *document) value(n *yaml.Node) any {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.add(n, "anchors and aliases are refused; write the value out")
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.add(n, "explicit tags are refused")
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return d.mapping(n)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, d.value(c))
		}
		return list
	default:
		return d.scalar(n)
	}
}

func (d *document) mapping(n *yaml.Node) any {
	out := make(map[string]any, len(n.Content)/2)
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0:
			d.add(key, "a key is plain text")
		case key.Tag == "!!merge":
			d.add(key, "merge keys are refused; write the values out")
		case first[key.Value] > 0:
			d.add(key, fmt.Sprintf("key %q was already given on line %d", key.Value, first[key.Value]))
		default:
			first[key.Value] = key.Line
			out[key.Value] = d.value(value)
		}
	}
	return out
}

func (d *document) scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		d.add(n, "the value is missing")
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
		d.add(n, "the number is out of range")
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && f == f && f < 1e300 && f > -1e300 {
			return f
		}
		d.add(n, "the number is out of range")
	}
	return n.Value
}
