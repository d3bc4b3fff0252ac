// Package config is the configuration of the product: the YAML file an admin
// writes, the environment variables users of Confluence MCP servers already
// have, and the defaults.
//
// A file is checked against the published schema ([Schema]) and refused as a
// whole when anything in it is wrong: unknown keys, a secret in clear, an
// agent without profile. The environment and the file system are parameters.
// Start reading with [Load].
package config

import (
	_ "embed" // the schema is a file
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/internal/strictyaml"
)

// Schema is the JSON Schema of the file, for editors.
//
//go:embed schema.json
var Schema string

// Defaults of what a file may leave out.
const (
	DefaultListen       = "127.0.0.1:8642" // loopback only: exposing it is a decision
	defaultSync         = 15 * time.Minute
	DefaultFullSync     = 24 * time.Hour
	defaultIntegration  = "default" // name of the integration the environment describes
	maxSecretFileBytes  = 64 << 10
	visibilityAdminOnly = "connected-admin-only"
	opaqueSeal          = "seal"
)

// Config is everything an admin decides. DataDir and ProfilesDir are absolute
// or relative to the working directory; in a file they are relative to it.
type Config struct {
	DataDir      string
	Listen       string
	OAuth        *OAuth // nil: no integration connects by OAuth
	Seal         Seal
	Integrations []Integration
	Agents       []Agent
	ProfilesDir  string // "": the shipped profiles only
	Sync         Sync
	HTTP         HTTP
	SelfConfirm  bool          // the requester's own confirmation satisfies Require Approval over stdio
	ApprovalLife time.Duration // of a request for approval; 0: the default
	Taint        time.Duration // how long having read restricted content counts; 0: the default
	ReadOnly     bool          // READ_ONLY_MODE: whatever the profile says, nothing is written
}

// OAuth is the admin's own Atlassian app.
type OAuth struct {
	ClientID     string
	ClientSecret seal.Secret
	RedirectURL  string
	AuthURL      string
	APIURL       string
}

// Seal is where the master key is that stored secrets are sealed with. Provider
// empty means a file; KeyFile empty means seal.key in the data folder.
type Seal struct {
	Provider string // file, environment, keyring or azurekv
	KeyFile  string
	Key      seal.Secret // environment
	VaultURL string      // azurekv
	VaultKey string      // azurekv
}

// Integration is one Confluence site. Username empty with a token means a Data
// Center personal access token; no token at all means OAuth.
type Integration struct {
	Name               string
	BaseURL            string
	Username           string
	Token              seal.Secret
	TokenExpires       string   // a date; empty: not known
	Spaces             []string // empty: all
	AccessRightsSync   bool
	UnsyncedVisibility string
	ServiceWrites      bool   // the connecting account writes for callers without a credential
	OpaqueAncestors    string // seal, trust or verify: what stands below a node whose restrictions cannot be read
	HonourSuperGroup   bool   // Data Center: confluence-administrators see everything here too
	ACLMaxAge          string // of rights, after which answers are marked as stale
	ACLHardMaxAge      string // after which nobody is shown anything by them
}

// Sync is the rhythm of the mirror.
type Sync struct {
	Interval     time.Duration
	FullInterval time.Duration
	BlogPosts    bool
}

// HTTP is what browsers and proxies may use. Empty AllowedOrigins refuses every
// request with an Origin header; empty AllowedHosts means the loopback names
// and the listen address. ResourceURL is where clients reach /mcp from outside,
// which tokens are made for; empty means as each request is addressed.
type HTTP struct {
	AllowedOrigins []string
	AllowedHosts   []string
	ResourceURL    string
}

// Source is where a configuration comes from.
type Source struct {
	File     string                       // "": environment and defaults only
	Getenv   func(string) string          // the process environment
	ReadFile func(string) ([]byte, error) // the file system
	HomeData string                       // default data folder
}

// Load reads the file, if one is named, fills in the environment and the
// defaults, and checks the whole. Kind Invalid, with every problem and its
// place, or NotFound when the named file is not there.
func Load(s Source) (Config, error) {
	c := Config{Listen: DefaultListen, DataDir: s.HomeData, Sync: Sync{Interval: defaultSync, FullInterval: DefaultFullSync, BlogPosts: true}}
	if s.File != "" {
		if err := s.loadFile(&c); err != nil {
			return Config{}, err
		}
	}
	if err := s.environment(&c); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (s Source) loadFile(c *Config) error {
	data, err := s.ReadFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return &confluence.Error{Kind: confluence.NotFound, Op: "read configuration", Ref: s.File, Err: err,
			Message: "there is no such file", Next: "Check the path given with --config."}
	}
	if err != nil {
		return &confluence.Error{Kind: confluence.Invalid, Op: "read configuration", Ref: s.File, Err: err, Message: err.Error(), Next: "Make the file readable for this user."}
	}
	schema, err := strictyaml.Compile([]byte(Schema))
	if err != nil {
		return err
	}
	var f file
	if err := schema.Parse(s.File, data, &f); err != nil {
		return invalid(err.Error(), "Correct the file; its schema is printed by: confluence-mcp config schema.", err)
	}
	return s.fill(c, f)
}

func invalid(message, next string, cause error) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Message: message, Next: next, Err: cause}
}

// value expands a setting that is exactly ${NAME}.
func (s Source) value(setting string) (string, error) {
	name, ok := strings.CutPrefix(setting, "${")
	if !ok {
		return setting, nil
	}
	name = strings.TrimSuffix(name, "}")
	v := s.Getenv(name)
	if v == "" {
		return "", fmt.Errorf("the environment variable %s is empty or not set", name)
	}
	return v, nil
}

// secret reads a setting that is ${NAME} or file:PATH; "" stays empty.
func (s Source) secret(setting string) (seal.Secret, error) {
	if setting == "" {
		return seal.Secret{}, nil
	}
	path, isFile := strings.CutPrefix(setting, "file:")
	if !isFile {
		v, err := s.value(setting)
		return seal.NewSecret(v), err
	}
	data, err := s.ReadFile(s.relative(path))
	if err != nil {
		return seal.Secret{}, fmt.Errorf("secret file %s: %w", path, err)
	}
	v := strings.TrimSpace(string(data))
	if v == "" || len(v) > maxSecretFileBytes {
		return seal.Secret{}, fmt.Errorf("secret file %s is empty or larger than %d bytes", path, maxSecretFileBytes)
	}
	return seal.NewSecret(v), nil
}

// relative makes a path of the file absolute from where the file lies.
func (s Source) relative(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.File), path)
}

// UserDataDir is the data folder when nobody names one: XDG_DATA_HOME, or
// .local/share in the home folder.
func UserDataDir(getenv func(string) string) string {
	if x := getenv("XDG_DATA_HOME"); filepath.IsAbs(x) {
		return filepath.Join(x, "confluence-mcp")
	}
	home := getenv("HOME")
	if home == "" {
		home = os.TempDir()
	}
	return filepath.Join(home, ".local", "share", "confluence-mcp")
}
