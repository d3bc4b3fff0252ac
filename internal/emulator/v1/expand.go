package v1

import "strings"

// expansion is a parsed expand parameter: a tree of names.
type expansion map[string]expansion

// maxExpand bounds the paths read of one request.
const maxExpand = 200

func parseExpand(values []string) expansion {
	root := expansion{}
	n := 0
	for _, value := range values {
		for path := range strings.SplitSeq(value, ",") {
			if n++; n > maxExpand {
				return root
			}
			at := root
			for name := range strings.SplitSeq(strings.TrimSpace(path), ".") {
				if name == "" {
					break
				}
				if at[name] == nil {
					at[name] = expansion{}
				}
				at = at[name]
			}
		}
	}
	return root
}

// has reports whether a path of names is expanded.
func (e expansion) has(path ...string) bool {
	for _, name := range path {
		if e = e[name]; e == nil {
			return false
		}
	}
	return true
}

// expandable lists what was not expanded, as the API does in _expandable.
func (e expansion) expandable(names ...string) object {
	out := object{}
	for _, name := range names {
		if !e.has(name) {
			out[name] = ""
		}
	}
	return out
}
