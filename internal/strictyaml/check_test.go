package strictyaml_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/strictyaml"
)

// draw makes a value that fits a schema, and now and then one that does not.
type draw struct {
	*rapid.T
	root map[string]any
}

func (d draw) value(s map[string]any, depth int) any {
	if ref, ok := s["$ref"].(string); ok {
		return d.value(d.root["$defs"].(map[string]any)[filepath.Base(ref)].(map[string]any), depth)
	}
	if rapid.IntRange(0, 19).Draw(d.T, "spoil") == 0 {
		return rapid.SampledFrom([]any{"", "x", "Bad Name", "2026-01-02T03:04:05Z", float64(-1), float64(0), 1.5, float64(1 << 40), true, []any{}, []any{"read", "read"}, map[string]any{}, map[string]any{"x": "y"}}).Draw(d.T, "any")
	}
	if enum, ok := s["enum"].([]any); ok {
		return rapid.SampledFrom(enum).Draw(d.T, "enum")
	}
	if c, ok := s["const"]; ok {
		return c
	}
	switch s["type"] {
	case "object":
		return d.object(s, depth)
	case "array":
		out := []any{}
		for range rapid.IntRange(0, 3).Draw(d.T, "items") {
			out = append(out, d.value(s["items"].(map[string]any), depth+1))
		}
		return out
	case "boolean":
		return rapid.Bool().Draw(d.T, "boolean")
	case "integer", "number":
		return float64(rapid.IntRange(-1, 200).Draw(d.T, "number"))
	}
	return d.text(s)
}

func (d draw) object(s map[string]any, depth int) any {
	out := map[string]any{}
	named, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, key := range required {
		out[key.(string)] = d.value(named[key.(string)].(map[string]any), depth+1)
	}
	for _, key := range slices.Sorted(maps.Keys(named)) {
		one := named[key]
		if rapid.IntRange(0, depth+1).Draw(d.T, key) == 0 {
			out[key] = d.value(one.(map[string]any), depth+1)
		}
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok || rapid.IntRange(0, 19).Draw(d.T, "more") == 0 {
		out["another"] = d.value(more, depth+1)
	}
	return out
}

// text is without characters that YAML refuses.
func (d draw) text(s map[string]any) any {
	text := rapid.StringN(0, 8, -1)
	if pattern, ok := s["pattern"].(string); ok {
		text = rapid.StringMatching(pattern)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > 0x17f || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return 'z'
		}
		return r
	}, text.Draw(d.T, "text"))
}

// The schemas of the program's own files are judged like a validator of all of
// JSON Schema does.
func TestJudgesLikeAWholeValidator(t *testing.T) {
	for _, path := range []string{"../config/schema.json", "../../policy/profile/schema.json"} {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		ours, err := strictyaml.Compile(source)
		require.NoError(t, err)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
		require.NoError(t, err)
		compiler := jsonschema.NewCompiler()
		require.NoError(t, compiler.AddResource("urn:s", doc))
		theirs, err := compiler.Compile("urn:s")
		require.NoError(t, err)
		var root map[string]any
		require.NoError(t, json.Unmarshal(source, &root))
		good := 0
		rapid.Check(t, func(rt *rapid.T) {
			value := draw{rt, root}.value(root, 0)
			text, err := json.Marshal(value)
			require.NoError(rt, err)
			want := theirs.Validate(value)
			_, got := ours.Read("f", text) // JSON is YAML
			assert.Equal(rt, want == nil, got == nil, "%s\ntheirs: %v\nours: %v", text, want, got)
			if want == nil {
				good++
			}
		})
		assert.Positive(t, good, path)
	}
}

func TestASchemaWithAKeywordNobodyChecksDoesNotCompile(t *testing.T) {
	for _, source := range []string{
		`{"oneOf":[{"type":"string"}]}`, `{"properties":{"a":{"format":"uri"}}}`, `{"additionalProperties":{"not":{}}}`, `{"additionalProperties":true}`,
		`{"type":["string","null"]}`, `{"type":"text"}`, `{"pattern":"("}`, `{"$ref":"#/$defs/a"}`, `{"$ref":"other"}`, `{`,
	} {
		_, err := strictyaml.Compile([]byte(source))
		assert.Error(t, err, source)
	}
}
