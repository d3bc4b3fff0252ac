package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"confluence-mcp/internal/seal"
)

// What stands where a secret would.
const (
	shownSet   = "(set)"
	shownUnset = "(not set)"
)

// Show is what the configuration comes to, file, environment and defaults
// together, as YAML for people. Secrets are shown as set or not set; what is
// one is decided by the type, so that a new setting cannot be forgotten here.
func (c Config) Show() (string, error) {
	node := shown(reflect.ValueOf(c))
	out, err := yaml.Marshal(node)
	if err != nil {
		return "", fmt.Errorf("show configuration: %w", err)
	}
	return string(out), nil
}

func shown(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return plain("null")
		}
		return shown(v.Elem())
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, shown(v.Index(i)))
		}
		if v.Len() == 0 {
			n.Style = yaml.FlowStyle
		}
		return n
	case reflect.Map:
		return shownMap(v)
	}
	switch x := v.Interface().(type) {
	case seal.Secret:
		return mask(x.Empty())
	case time.Duration:
		return plain(x.String())
	case encoding.TextMarshaler:
		text, _ := x.MarshalText() // addresses always have a text
		return plain(string(text))
	}
	if v.Kind() == reflect.Struct {
		return shownStruct(v)
	}
	n := &yaml.Node{}
	if n.Encode(v.Interface()) != nil {
		return plain("?")
	}
	return n
}

func shownStruct(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		value := shown(v.Field(i))
		if f.Tag.Get("show") == "masked" {
			value = mask(v.Field(i).IsZero())
		}
		n.Content = append(n.Content, plain(snake(f.Name)), value)
	}
	return n
}

func shownMap(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		n.Content = append(n.Content, plain(k.String()), shown(v.MapIndex(k)))
	}
	return n
}

func mask(empty bool) *yaml.Node {
	if empty {
		return plain(shownUnset)
	}
	return plain(shownSet)
}

func plain(text string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(text)
	if text == "null" {
		n.Tag = "!!null"
	}
	return n
}

// snake writes a Go name as the file writes names: ClientID as client_id.
func snake(name string) string {
	var out strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
