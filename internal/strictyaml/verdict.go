package strictyaml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// explain turns the schema's verdict into problems at the nodes it is about.
func (r *reader) explain(root *yaml.Node, found []fault) {
	for _, f := range found {
		at, where := Find(root, f.path...), strings.Join(f.path, ".")
		for _, key := range f.keys {
			r.add(keyNode(at, key), fmt.Sprintf("unknown key %q", strings.TrimPrefix(where+"."+key, ".")))
		}
		switch {
		case f.text == "":
		case where == "":
			r.add(at, f.text)
		default:
			r.add(at, where+": "+f.text)
		}
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	r.problems = slices.CompactFunc(r.problems, func(a, b Problem) bool { return a == b })
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
