package confluence

import "strings"

// QuoteCQL makes a CQL string literal of value: backslash and quote are
// escaped, NUL is dropped. An unescaped quote would rewrite the query.
func QuoteCQL(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", "").Replace(value) + `"`
}
