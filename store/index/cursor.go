package index

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"

	"confluence-mcp/internal/confluence"
)

// cursorBytes: 8 of the question's hash, 4 of the score, 4 of the node.
const cursorBytes = 16

// asks is what a cursor belongs to: everything of a query that decides what is
// found and in which order.
func (q Query) asks() [8]byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %q %q %q %d %d", q.Text, q.Integration, q.SpaceKey, q.Type, q.Label,
		q.AuthorID, q.UpdatedSince.Unix(), q.Ancestor))
	return [8]byte(sum[:8])
}

// cursor names the last hit of a page.
func (q Query) cursor(last Hit) string {
	b := make([]byte, 0, cursorBytes)
	asks := q.asks()
	b = append(b, asks[:]...)
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(last.Score)))
	b = binary.BigEndian.AppendUint32(b, last.Index)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (q Query) start() (*Hit, error) {
	if q.After == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil || len(b) != cursorBytes || [8]byte(b[:8]) != q.asks() {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.cursor", Op: "search", Err: err,
			Message: "the cursor does not belong to this question", Next: "Ask again without a cursor."}
	}
	return &Hit{Score: float64(math.Float32frombits(binary.BigEndian.Uint32(b[8:]))), Index: binary.BigEndian.Uint32(b[12:])}, nil
}
