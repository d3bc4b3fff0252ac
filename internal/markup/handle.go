package markup

import (
	"crypto/sha256"
	"strconv"
	"strings"
)

const handleLetters = "abcdefghijklmnopqrstuvwxyz234567"

// handleOf names a block: the first 40 bits of SHA-256 over what it is, so the
// name survives edits elsewhere on the page.
func handleOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	bits := uint64(0)
	for _, b := range sum[:5] {
		bits = bits<<8 | uint64(b)
	}
	out := []byte("b--------")
	for i := 8; i > 0; i-- {
		out[i] = handleLetters[bits%32]
		bits /= 32
	}
	return string(out)
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
