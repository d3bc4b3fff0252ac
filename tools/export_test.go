package tools

// Within is what becomes of a raw CQL condition on a server kept to spaces;
// exported so that a hundred thousand of them can be tried.
func Within(cql string, spaces []string) (string, error) {
	q, err := parseCQL(cql)
	return q.within(spaces), err
}
