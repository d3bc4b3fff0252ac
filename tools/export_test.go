package tools

import "strings"

// Within is what becomes of a raw CQL condition on a server kept to spaces;
// exported so that a hundred thousand of them can be tried.
func Within(cql string, spaces []string) (string, error) {
	q, err := parseCQL(cql)
	return q.within(spaces), err
}

// Listings are the names, without the prefix, of the tools that read many things.
func Listings() []string {
	var out []string
	for _, t := range everyTool() {
		if t.listing {
			out = append(out, strings.TrimPrefix(t.Name, Prefix))
		}
	}
	return out
}
