package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
)

// file is the shape of the YAML; the schema has checked it before it is filled.
type file struct {
	DataDir string `yaml:"data_dir"`
	Listen  string `yaml:"listen"`
	OAuth   *struct {
		ClientID     string `yaml:"client_id"`
		ClientSecret string `yaml:"client_secret"`
		RedirectURL  string `yaml:"redirect_url"`
		AuthURL      string `yaml:"auth_url"`
		APIURL       string `yaml:"api_url"`
	} `yaml:"oauth"`
	Seal struct {
		Provider string `yaml:"provider"`
		KeyFile  string `yaml:"key_file"`
		Key      string `yaml:"key"`
		VaultURL string `yaml:"vault_url"`
		VaultKey string `yaml:"vault_key"`
	} `yaml:"seal"`
	Integrations []fileIntegration `yaml:"integrations"`
	Agents       []fileAgent       `yaml:"agents"`
	ProfilesDir  string            `yaml:"profiles_dir"`
	Sync         struct {
		Interval     string `yaml:"interval"`
		FullInterval string `yaml:"full_interval"`
		BlogPosts    *bool  `yaml:"blog_posts"`
	} `yaml:"sync"`
	HTTP struct {
		AllowedOrigins []string `yaml:"allowed_origins"`
		AllowedHosts   []string `yaml:"allowed_hosts"`
		ResourceURL    string   `yaml:"resource_url"`
	} `yaml:"http"`
	Approvals struct {
		SelfConfirm bool   `yaml:"self_confirm"`
		Expires     string `yaml:"expires"`
		Taint       string `yaml:"taint"`
	} `yaml:"approvals"`
}

type fileIntegration struct {
	Name               string   `yaml:"name"`
	BaseURL            string   `yaml:"baseUrl"`
	Username           string   `yaml:"username"`
	Token              string   `yaml:"token"`
	Spaces             []string `yaml:"spaces"`
	AccessRightsSync   bool     `yaml:"enableAccessRightsSync"`
	UnsyncedVisibility string   `yaml:"unsyncedVisibility"`
	ServiceWrites      bool     `yaml:"service_writes"`
	TokenExpires       string   `yaml:"token_expires"`
	OpaqueAncestors    string   `yaml:"opaqueAncestors"`
	HonourSuperGroup   bool     `yaml:"honourSuperGroup"`
	ACLMaxAge          string   `yaml:"aclMaxAge"`
	ACLHardMaxAge      string   `yaml:"aclHardMaxAge"`
}

// Atlassian's own addresses; a file changes them only for tests.
const (
	atlassianAuth = "https://auth.atlassian.com"
	atlassianAPI  = "https://api.atlassian.com"
)

func (s Source) fill(c *Config, f file) error {
	if f.DataDir != "" {
		c.DataDir = s.relative(f.DataDir)
	}
	if f.Listen != "" {
		c.Listen = f.Listen
	}
	c.ProfilesDir = s.relative(f.ProfilesDir)
	if _, err := url.Parse(f.HTTP.ResourceURL); err != nil {
		return invalid("http.resource_url is no address", "Write it like https://mcp.acme.example/mcp.", err)
	}
	c.HTTP = HTTP(f.HTTP)
	c.SelfConfirm = f.Approvals.SelfConfirm
	if err := fillApprovals(c, f); err != nil {
		return err
	}
	if err := fillSync(&c.Sync, f); err != nil {
		return err
	}
	if err := errors.Join(s.fillOAuth(c, f), s.fillSeal(c, f)); err != nil {
		return err
	}
	if err := s.fillIntegrations(c, f.Integrations); err != nil {
		return err
	}
	return s.fillAgents(c, f.Agents)
}

func fillSync(to *Sync, f file) error {
	for _, d := range []struct {
		text string
		to   *time.Duration
	}{{f.Sync.Interval, &to.Interval}, {f.Sync.FullInterval, &to.FullInterval}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil || v < time.Minute {
			return invalid(fmt.Sprintf("sync: %q is not a duration of at least a minute", d.text), "Write it like 15m or 24h.", err)
		}
		*d.to = v
	}
	if f.Sync.BlogPosts != nil {
		to.BlogPosts = *f.Sync.BlogPosts
	}
	return nil
}

// maxApprovalLife is the longest a request for approval may wait.
const maxApprovalLife = 7 * 24 * time.Hour

func fillApprovals(c *Config, f file) error {
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{{"expires", f.Approvals.Expires, &c.ApprovalLife}, {"taint", f.Approvals.Taint, &c.Taint}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil || v < time.Minute || v > maxApprovalLife {
			return invalid(fmt.Sprintf("approvals.%s: %q is not a duration from a minute to 168h", d.name, d.text), "Write it like 24h.", err)
		}
		*d.to = v
	}
	return nil
}

func (s Source) fillOAuth(c *Config, f file) error {
	if f.OAuth == nil {
		return nil
	}
	id, err := s.value(f.OAuth.ClientID)
	if err != nil {
		return invalid("oauth.client_id: "+err.Error(), "Set it, or write the client id into the file.", err)
	}
	secret, err := s.secret(f.OAuth.ClientSecret)
	if err != nil {
		return invalid("oauth.client_secret: "+err.Error(), "Set the variable or make the file.", err)
	}
	c.OAuth = &OAuth{ClientID: id, ClientSecret: secret, RedirectURL: f.OAuth.RedirectURL,
		AuthURL: orDefault(f.OAuth.AuthURL, atlassianAuth), APIURL: orDefault(f.OAuth.APIURL, atlassianAPI)}
	return nil
}

func (s Source) fillSeal(c *Config, f file) error {
	key, err := s.secret(f.Seal.Key)
	if err != nil {
		return invalid("seal.key: "+err.Error(), "Set the variable or make the file.", err)
	}
	c.Seal = Seal{Provider: f.Seal.Provider, KeyFile: s.relative(f.Seal.KeyFile), Key: key, VaultURL: f.Seal.VaultURL, VaultKey: f.Seal.VaultKey}
	return nil
}

func (s Source) fillIntegrations(c *Config, from []fileIntegration) error {
	seen := map[string]bool{}
	for _, i := range from {
		if seen[i.Name] {
			return invalid(fmt.Sprintf("integrations: the name %q is used twice", i.Name), "Give each integration its own name.", nil)
		}
		seen[i.Name] = true
		made, err := s.integration(i, c.Sync.Interval)
		if err != nil {
			return invalid(fmt.Sprintf("integration %s: %v", i.Name, err), "Correct it in "+s.File+".", err)
		}
		c.Integrations = append(c.Integrations, made)
	}
	return nil
}

func (s Source) integration(i fileIntegration, interval time.Duration) (Integration, error) {
	base, err := s.value(i.BaseURL)
	if err != nil {
		return Integration{}, fmt.Errorf("baseUrl: %w", err)
	}
	if holdsCredentials(base) {
		return Integration{}, errors.New("baseUrl holds a user name or password")
	}
	user, err := s.value(i.Username)
	if err != nil {
		return Integration{}, fmt.Errorf("username: %w", err)
	}
	token, err := s.secret(i.Token)
	if err != nil {
		return Integration{}, fmt.Errorf("token: %w", err)
	}
	if _, hard, err := confluence.RightsAges(i.ACLMaxAge, i.ACLHardMaxAge); err != nil {
		return Integration{}, err
	} else if hard <= interval {
		return Integration{}, fmt.Errorf("aclHardMaxAge: %s is not longer than the time between two passes (sync.interval, %s), so nothing would be shown most of the time", hard, interval)
	}
	return Integration{Name: i.Name, BaseURL: base, Username: user, Token: token, TokenExpires: i.TokenExpires, Spaces: i.Spaces,
		AccessRightsSync: i.AccessRightsSync, UnsyncedVisibility: orDefault(i.UnsyncedVisibility, visibilityAdminOnly),
		OpaqueAncestors: orDefault(i.OpaqueAncestors, opaqueSeal), HonourSuperGroup: i.HonourSuperGroup, ServiceWrites: i.ServiceWrites,
		ACLMaxAge: orDefault(i.ACLMaxAge, confluence.DefaultRightsAge), ACLHardMaxAge: orDefault(i.ACLHardMaxAge, confluence.DefaultRightsHardAge)}, nil
}

// holdsCredentials finds what stands before an @: addresses are printed, and
// secrets are not. An address that cannot be read is refused when it is used.
func holdsCredentials(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User != nil || err != nil && strings.Contains(address, "@")
}

func orDefault(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}
