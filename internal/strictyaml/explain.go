package strictyaml

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// leafProblems words one failure for the person who wrote the file.
func leafProblems(name string, root *yaml.Node, e *jsonschema.ValidationError) Problems {
	value := Find(root, e.InstanceLocation...)
	at := func(n *yaml.Node, path []string, text string) Problem {
		return Problem{File: name, Line: n.Line, Column: n.Column, Path: strings.Join(path, "."), Message: text}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var out Problems
		for _, p := range k.Properties {
			out = append(out, at(keyNode(value, p), append(e.InstanceLocation[:len(e.InstanceLocation):len(e.InstanceLocation)], p), unknownKey(e, p)))
		}
		return out
	case *kind.Required:
		return Problems{at(value, e.InstanceLocation, "missing "+strings.Join(k.Missing, ", "))}
	case *kind.Enum:
		return Problems{at(value, e.InstanceLocation, fmt.Sprintf("%s is not one of %s", show(k.Got), shows(k.Want)))}
	case *kind.Type:
		return Problems{at(value, e.InstanceLocation, fmt.Sprintf("this is a %s; wanted %s", k.Got, strings.Join(k.Want, " or ")))}
	case *kind.Pattern: // the value is left out: it may be a secret written in clear
		return Problems{at(value, e.InstanceLocation, "the value does not have the form "+k.Want)}
	default:
		return Problems{at(value, e.InstanceLocation, e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))}
	}
}

func unknownKey(e *jsonschema.ValidationError, key string) string {
	return fmt.Sprintf("unknown key %q%s", key, where(e.InstanceLocation))
}

func where(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return " under " + strings.Join(path, ".")
}

func show(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }

func shows(vs []any) string {
	words := make([]string, len(vs))
	for i, v := range vs {
		words[i] = fmt.Sprint(v)
	}
	sort.Strings(words)
	return strings.Join(words, ", ")
}

// Find walks from root along keys and list positions and gives the value
// there, or the nearest node above it.
func Find(root *yaml.Node, path ...string) *yaml.Node {
	n := root
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, step string) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return n.Content[i+1]
		}
	}
	return nil
}

func keyNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return n
}

func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + "." + step
}
