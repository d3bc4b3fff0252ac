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
		{"unknown key", "name: a\ncolour: red\n", "f:2:1: unknown key \"colour\""},
		{"unknown nested key", "name: a\nlimits:\n  m: 1\n", "f:3:3: unknown key \"limits.m\""},
		{"duplicate key", "name: a\nname: b\n", "f:2:1: key \"name\" was already given on line 1"},
		{"missing", "level: on\n", "f:1:1: missing property 'name'"},
		{"enum", "name: a\nlevel: maybe\n", "f:2:8: level: value must be one of 'off', 'on'"},
		{"type", "name: a\nlimits: 3\n", "f:2:9: limits: got number, want object"},
		{"list item", "name: a\ntags: [x, 3]\n", "f:2:11: tags.1: got number, want string"},
		{"anchor", "name: &x a\n", "f:1:7: anchors and aliases are refused; write the value out"},
		{"merge key", "name: a\nlimits:\n  <<: {n: 1}\n", "f:3:3: merge keys are refused; write the values out"},
		{"key that is a list", "name: a\n? [b]\n: c\n", "f:2:3: a key is plain text"},
		{"tag", "name: !!binary YQ==\n", "f:1:7: explicit tags are refused"},
		{"no value", "name:\n", "f:1:6: the value is missing"},
		{"not a number", "name: a\nlimits: {n: .inf}\n", "f:2:13: the number is out of range"},
		{"a value that may be secret", "name: S3cret\n", "f:1:7: name: the value does not have the form ^[a-z]+$"},
		{"zero byte", "name: a\x00\n", "f: the file has a zero byte"},
		{"two documents", "name: a\n---\nname: b\n", "f:2:1: a second document starts here; a file holds one"},
		{"empty", "", "the file is empty"},
		{"syntax", "name: [a\n", "f:"},
		{"too large", "# " + strings.Repeat("x", strictyaml.MaxBytes), "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.Parse("f", []byte(c.in), &doc{})
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func TestGoodDocumentIsDecoded(t *testing.T) {
	s, err := strictyaml.Compile([]byte(schema))
	require.NoError(t, err)
	var d doc
	err = s.Parse("f", []byte("name: a\nlevel: \"on\"\nlimits: {n: 3}\ntags: [x, y]\n"), &d)
	require.NoError(t, err)
	assert.Equal(t, doc{Name: "a", Level: "on", Limits: struct{ N int }{3}, Tags: []string{"x", "y"}}, d)
}
