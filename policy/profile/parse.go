package profile

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"confluence-mcp/internal/strictyaml"
)

//go:embed schema.json
var schemaJSON string

// Schema is the JSON Schema (draft 2020-12) of a profile file.
func Schema() []byte { return []byte(schemaJSON) }

// Parser reads profile files. It may be used by many goroutines.
type Parser struct{ schema *strictyaml.Schema }

// NewParser compiles the schema once.
func NewParser() (*Parser, error) {
	schema, err := strictyaml.Compile([]byte(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	schema.Quote = true // a profile holds no secrets
	return &Parser{schema: schema}, nil
}

// Parse reads one file of at most 256 KiB. The error is always a [Problems];
// name is what its messages call the file.
func (p *Parser) Parse(name string, text []byte) (File, error) {
	doc, err := p.schema.Read(name, text)
	if err != nil {
		return File{}, problems(name, err)
	}
	d := document{name: name, text: text}
	file, err := decode[File](doc.Value)
	if err != nil {
		d.add(doc.Root, err.Error())
		return File{}, d.problems
	}
	d.place(doc.Root, &file)
	d.checkRules(doc.Root, &file)
	if len(d.problems) > 0 {
		return File{}, d.problems
	}
	return file, nil
}

// ParseGiven reads one call in the form that tests use. The error is always a
// [Problems].
func ParseGiven(name string, text []byte) (Given, error) {
	p, err := NewParser()
	if err != nil {
		return Given{}, problems(name, err)
	}
	schema, err := p.schema.At("/$defs/test/properties/given")
	if err != nil {
		return Given{}, problems(name, err)
	}
	doc, err := schema.Read(name, text)
	if err != nil {
		return Given{}, problems(name, err)
	}
	given, err := decode[Given](doc.Value)
	if err != nil {
		return Given{}, problems(name, err)
	}
	given.Tool = fullName(given.Tool)
	return given, nil
}

// problems takes a reader's problems over as a profile's.
func problems(name string, err error) Problems {
	var found strictyaml.Problems
	if !errors.As(err, &found) {
		return Problems{{File: name, Text: err.Error()}}
	}
	out := make(Problems, len(found))
	for i, p := range found {
		out[i] = Problem{File: p.File, Position: Position{Line: p.Line, Column: p.Column}, Text: p.Message}
	}
	return out
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

// document is one file that fits the schema, with what is wrong nevertheless.
type document struct {
	name     string
	text     []byte
	problems Problems
}

func (d *document) add(n *yaml.Node, text string) {
	d.problems = append(d.problems, Problem{File: d.name, Position: Position{Line: n.Line, Column: n.Column}, Text: text})
}
