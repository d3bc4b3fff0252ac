package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// explain turns the schema's verdict into problems at the nodes it is about.
func (r *reader) explain(root *yaml.Node, err error, quote bool) {
	var verdict *jsonschema.ValidationError
	if !errors.As(err, &verdict) {
		r.add(root, err.Error())
		return
	}
	r.explainCause(root, verdict, words{message.NewPrinter(language.English), quote})
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	r.problems = slices.CompactFunc(r.problems, func(a, b Problem) bool { return a == b })
}

// words says what a schema holds against a value.
type words struct {
	printer *message.Printer
	quote   bool
}

func (w words) of(v *jsonschema.ValidationError) string {
	if p, ok := v.ErrorKind.(*kind.Pattern); ok && !w.quote {
		return "the value does not have the form " + p.Want
	}
	return v.ErrorKind.LocalizedString(w.printer)
}

func (r *reader) explainCause(root *yaml.Node, v *jsonschema.ValidationError, w words) {
	for _, c := range v.Causes {
		r.explainCause(root, c, w)
	}
	if len(v.Causes) > 0 {
		return
	}
	at := Find(root, v.InstanceLocation...)
	where := strings.Join(v.InstanceLocation, ".")
	if extra, ok := v.ErrorKind.(*kind.AdditionalProperties); ok {
		for _, key := range extra.Properties {
			r.add(keyNode(at, key), fmt.Sprintf("unknown key %q", strings.TrimPrefix(where+"."+key, ".")))
		}
		return
	}
	text := w.of(v)
	if where != "" {
		text = where + ": " + text
	}
	r.add(at, text)
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
	if i := keyIndex(n, step); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

func keyNode(n *yaml.Node, key string) *yaml.Node {
	if i := keyIndex(n, key); i >= 0 {
		return n.Content[i]
	}
	return n
}

func keyIndex(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Kind == yaml.MappingNode && n.Content[i].Value == key {
			return i
		}
	}
	return -1
}
