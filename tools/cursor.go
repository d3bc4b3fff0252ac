package tools

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
)

// cursorBook makes and reads cursors. A cursor is base64url(tag | position):
// the tag authenticates the position together with principal, tool, site and
// arguments, so a cursor is worth nothing to anybody else, for anything else.
type cursorBook struct{ key []byte }

const cursorTag = 16

// newCursorBook takes the key, or draws one.
func newCursorBook(key []byte, random io.Reader) (cursorBook, error) {
	if key != nil {
		return cursorBook{key: key}, nil
	}
	key = make([]byte, 32)
	_, err := io.ReadFull(random, key)
	return cursorBook{key: key}, err
}

func (b cursorBook) tag(bound, position string) []byte {
	mac := hmac.New(sha256.New, b.key)
	fmt.Fprintf(mac, "%d|%s|%s", len(bound), bound, position)
	return mac.Sum(nil)[:cursorTag]
}

// seal makes the cursor that continues the call at position; an empty position
// is the end and makes none.
func (k *call) seal(position string) string {
	if position == "" {
		return ""
	}
	raw := append(k.catalog.cursors.tag(k.bound(), position), position...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// open gives the position of a cursor, empty for the beginning.
func (k *call) open(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(raw) > cursorTag {
		position := string(raw[cursorTag:])
		if hmac.Equal(raw[:cursorTag], k.catalog.cursors.tag(k.bound(), position)) {
			return position, nil
		}
	}
	return "", invalid("cursor", "The cursor does not belong to this call.",
		"Repeat the call without cursor; keep all other arguments the same when you continue with the cursor it gives.")
}

// bound is what a cursor belongs to: everything but how much to show.
func (k *call) bound() string {
	var args map[string]json.RawMessage
	if json.Unmarshal(k.args, &args) != nil {
		args = nil
	}
	for _, free := range []string{"cursor", "limit", "max_chars"} {
		delete(args, free)
	}
	rest, err := json.Marshal(args)
	if err != nil {
		rest = k.args
	}
	return k.caller.Principal() + "\x00" + k.tool.Name + "\x00" + k.info.ID + "\x00" + string(rest)
}
