package markup

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

var handleCoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// handleOf names a block: the first 40 bits of SHA-256 over what it is, so the
// name survives edits elsewhere on the page.
func handleOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "b" + handleCoding.EncodeToString(sum[:5])
}

// handle is handleOf with a number for equal content.
func (r *renderer) handle(what, content string) string {
	key := handleOf(what, content)
	n := r.handles[key]
	r.handles[key] = n + 1
	if n == 0 {
		return key
	}
	return handleOf(what, content, strconv.Itoa(n))
}
