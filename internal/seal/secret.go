package seal

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "redacted"

// Secret is a token, password or key that nothing can print by accident. The
// zero value is the empty secret.
type Secret struct {
	value string
}

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal gives the plain value. Call it only where the value leaves the
// program, never to build a message.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is nothing inside.
func (s Secret) Empty() bool { return s.value == "" }

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer, for %#v.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter: every verb and flag gives the same word.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted) // a formatter has no way to report this
}

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
