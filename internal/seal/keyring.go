package seal

import (
	"errors"

	"github.com/zalando/go-keyring"

	"confluence-mcp/internal/confluence"
)

// keyringService is the name people see in their keyring.
const keyringService = "confluence-mcp"

// osKeyring is an entry of the keyring of the operating system.
type osKeyring struct{ account string }

func (k osKeyring) where() string { return "the keyring entry " + keyringService + " " + k.account }

func (k osKeyring) read() (string, error) {
	text, err := keyring.Get(keyringService, k.account)
	if errors.Is(err, keyring.ErrNotFound) {
		return "", errNoKeys
	}
	if err != nil {
		return "", k.unreachable(err)
	}
	return text, nil
}

func (k osKeyring) write(text string, _ bool) error {
	if err := keyring.Set(keyringService, k.account, text); err != nil {
		return k.unreachable(err)
	}
	return nil
}

// unreachable is said instead of falling back to anything weaker: a server
// without a desktop has no keyring.
func (k osKeyring) unreachable(err error) error {
	return &confluence.Error{Kind: confluence.Unavailable, Code: "seal.key", Op: "open key", Err: err,
		Message: "the keyring of the operating system cannot be used: " + err.Error(),
		Next:    "Unlock it, or set seal.provider to file or environment on a machine without a desktop."}
}
