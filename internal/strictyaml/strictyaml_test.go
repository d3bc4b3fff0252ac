package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/strictyaml"
)

const schema = `{"type":"object","additionalProperties":false,"required":["name"],"properties":{
 "name":{"type":"string","pattern":"^[a-z]+$"},
 "level":{"enum":["off","on"]},
 "limits":{"type":"object","additionalProperties":false,"properties":{"n":{"type":"integer","minimum":1}}},
 "tags":{"type":"array","items":{"type":"string"}}}}`

type doc struct {
	Name   string
	Level  string
	Limits struct{ N int }
	Tags   []string
}

func TestProblemsNameLineAndColumn(t *testing.T) {
	s, err := strictyaml.Compile([]byte(schema))
	require.NoError(t, err)
	for _, c := range []struct{ name, in, want string }{
		{"unknown key", "name: a\ncolour: red\n", "f:2:1: colour: unknown key \"colour\""},
		{"unknown nested key", "name: a\nlimits:\n  m: 1\n", "f:3:3: limits.m: unknown key \"m\" under limits"},
		{"duplicate key", "name: a\nname: b\n", "f:2:1: the key \"name\" stands here twice"},
		{"missing", "level: on\n", "f:1:1: missing name"},
		{"enum", "name: a\nlevel: maybe\n", "f:2:8: level: \"maybe\" is not one of off, on"},
		{"type", "name: a\nlimits: 3\n", "f:2:9: limits: this is a number; wanted object"},
		{"list item", "name: a\ntags: [x, 3]\n", "f:2:11: tags.1: this is a number; wanted string"},
		{"anchor", "name: &x a\n", "f:1:7: name: anchors and aliases are not allowed; write the value out"},
		{"merge key", "name: a\nlimits:\n  <<: {n: 1}\n", "f:3:3: limits: merge keys and compound keys are not allowed"},
		{"two documents", "name: a\n---\nname: b\n", "one document a file"},
		{"empty", "", "the file is empty"},
		{"syntax", "name: [a\n", "f:"},
		{"too large", "# " + strings.Repeat("x", strictyaml.MaxBytes), "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Parse("f", []byte(c.in), &doc{})
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func TestGoodDocumentIsDecoded(t *testing.T) {
	s, err := strictyaml.Compile([]byte(schema))
	require.NoError(t, err)
	var d doc
	_, err = s.Parse("f", []byte("name: a\nlevel: \"on\"\nlimits: {n: 3}\ntags: [x, y]\n"), &d)
	require.NoError(t, err)
	assert.Equal(t, doc{Name: "a", Level: "on", Limits: struct{ N int }{3}, Tags: []string{"x", "y"}}, d)
}
