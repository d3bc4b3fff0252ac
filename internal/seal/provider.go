package seal

import (
	"context"
	"os"

	"confluence-mcp/internal/confluence"
)

// Names of the providers, as the configuration and the database spell them.
const (
	FileKey        = "file"
	EnvironmentKey = "environment"
	KeyringKey     = "keyring"
	AzureKey       = "azurekv"
)

// KeyProvider has the master key, which wraps data keys. Safe for concurrent
// use. Errors are kind Invalid, code seal.key, for a key that is missing,
// unreadable, open to others or not the right one, and Unavailable when the
// place of the key cannot be reached.
type KeyProvider interface {
	// Name is one of the names above.
	Name() string
	// Wrap encrypts a data key with the present master key, which is made when
	// there is none and the provider can. master is the id to unwrap it with.
	Wrap(ctx context.Context, key []byte) (master string, wrapped []byte, err error)
	// Unwrap is the reverse. It never makes a key.
	Unwrap(ctx context.Context, master string, wrapped []byte) ([]byte, error)
	// Renew makes a new present master key and keeps the old ones. A provider
	// whose keys are made by somebody else does nothing.
	Renew(ctx context.Context) error
	// Forget drops all master keys but one.
	Forget(ctx context.Context, but string) error
}

// Choice says which provider to use. Provider is one of the names above; empty
// means file.
type Choice struct {
	Provider string
	File     string // FileKey: path of the key file
	Key      Secret // EnvironmentKey: the key, or several, as secrets new-key prints them
	Folder   string // KeyringKey: what tells one installation's entry from another's
	Vault    string // AzureKey: https://NAME.vault.azure.net
	VaultKey string // AzureKey: name of the key
	Getenv   func(string) string
}

// Open makes the chosen one. It reads nothing yet. Kind Invalid for an
// unknown name or a missing setting.
func (c Choice) Open() (KeyProvider, error) {
	switch c.Provider {
	case "", FileKey:
		if c.File == "" {
			return nil, badKey("no key file is named", "Set seal.key_file.", nil)
		}
		return &stored{name: FileKey, place: keyFile{path: c.File, mine: os.Getuid()}}, nil
	case EnvironmentKey:
		return &stored{name: EnvironmentKey, place: given{c.Key}}, nil
	case KeyringKey:
		return &stored{name: KeyringKey, place: osKeyring{account: c.Folder}}, nil
	case AzureKey:
		return openAzure(c)
	}
	return nil, &confluence.Error{Kind: confluence.Invalid, Code: "seal.key", Op: "open key", Message: "there is no key provider " + c.Provider,
		Next: "Set seal.provider to file, environment, keyring or azurekv."}
}
