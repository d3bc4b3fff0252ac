package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"

	"confluence-mcp/internal/confluence"
)

// keyBytes is the size of every key here: AES-256.
const keyBytes = 32

// A sealed record is a version, the id of its data key, a nonce and the
// ciphertext with its tag.
const (
	recordVersion = 1
	keyIDBytes    = 8
	recordHead    = 1 + keyIDBytes
)

// Place is where a sealed record lies. All three are part of what is
// authenticated: a record opens in its own place only.
type Place struct {
	Table  string
	Row    string
	Column string
}

// String is for messages; it holds nothing secret.
func (p Place) String() string { return p.Table + " " + p.Row + " " + p.Column }

// bound is the additional data of a record: every part with its length, so that
// no two places look alike.
func (p Place) bound(keyID string) []byte {
	out := []byte("confluence-mcp sealed record")
	for _, part := range []string{p.Table, p.Row, p.Column, keyID} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// cipherOf makes the cipher of a key. Its nonces are random: one key seals far
// fewer than the 2^32 records that makes safe.
func cipherOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// KeyOf reads which data key a record needs, without opening it; "" when the
// bytes are no record.
func KeyOf(sealed []byte) string {
	if len(sealed) <= recordHead || sealed[0] != recordVersion {
		return ""
	}
	return hex.EncodeToString(sealed[1:recordHead])
}

// brokenRecord is a record nobody can open. The kind is Expired: what to do is
// what one does about a token that is no longer good.
func brokenRecord(at Place, message string) error {
	return &confluence.Error{Kind: confluence.Expired, Code: "seal.record", Op: "open secret", Ref: at.String(), Message: message,
		Next: "Connect again, or enter the token again; the stored one is not used."}
}
