package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
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
}

type fileAgent struct {
	Name        string `yaml:"name"`
	Key         string `yaml:"key"`
	KeyHash     string `yaml:"key_hash"`
	Profile     string `yaml:"profile"`
	ActForUsers bool   `yaml:"act_for_users"`
	Identity    struct {
		Integration string `yaml:"integration"`
		User        string `yaml:"user"`
	} `yaml:"identity"`
	Admin    bool `yaml:"admin"`
	Approver bool `yaml:"approver"`
	Notify   struct {
		URL    string `yaml:"url"`
		Secret string `yaml:"secret"`
	} `yaml:"notify"`
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
	c.HTTP = HTTP(f.HTTP)
	c.SelfConfirm = f.Approvals.SelfConfirm
	if err := fillApprovals(c, f); err != nil {
		return err
	}
	if err := fillSync(&c.Sync, f); err != nil {
		return err
	}
	if err := s.fillOAuth(c, f); err != nil {
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

func (s Source) fillIntegrations(c *Config, from []fileIntegration) error {
	seen := map[string]bool{}
	for _, i := range from {
		if seen[i.Name] {
			return invalid(fmt.Sprintf("integrations: the name %q is used twice", i.Name), "Give each integration its own name.", nil)
		}
		seen[i.Name] = true
		made, err := s.integration(i)
		if err != nil {
			return invalid(fmt.Sprintf("integration %s: %v", i.Name, err), "Correct it in "+s.File+".", err)
		}
		c.Integrations = append(c.Integrations, made)
	}
	return nil
}

func (s Source) integration(i fileIntegration) (Integration, error) {
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
	return Integration{Name: i.Name, BaseURL: base, Username: user, Token: token, Spaces: i.Spaces,
		AccessRightsSync: i.AccessRightsSync, UnsyncedVisibility: orDefault(i.UnsyncedVisibility, visibilityAdminOnly)}, nil
}

// holdsCredentials finds what stands before an @: addresses are printed, and
// secrets are not. An address that cannot be read is refused when it is used.
func holdsCredentials(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User != nil || err != nil && strings.Contains(address, "@")
}

func (s Source) fillAgents(c *Config, from []fileAgent) error {
	seen := map[string]bool{}
	for _, a := range from {
		if err := checkAgent(a, seen); err != nil {
			return invalid(fmt.Sprintf("agent %s: %v", a.Name, err), "Correct it in "+s.File+".", err)
		}
		key, err := s.secret(a.Key)
		if err != nil {
			return invalid(fmt.Sprintf("agent %s: key: %v", a.Name, err), "Set the variable or make the file.", err)
		}
		hook, err := s.notify(a)
		if err != nil {
			return invalid(fmt.Sprintf("agent %s: notify: %v", a.Name, err), "Correct it in "+s.File+".", err)
		}
		c.Agents = append(c.Agents, Agent{Notify: hook, Name: a.Name, Key: key, KeyHash: trimHash(a.KeyHash), Profile: a.Profile, ActForUsers: a.ActForUsers,
			Integration: a.Identity.Integration, User: a.Identity.User, Admin: a.Admin, Approver: a.Approver})
	}
	return nil
}

// notify reads where an agent's approvals are told. Plain http is for this
// machine only.
func (s Source) notify(a fileAgent) (Notify, error) {
	if a.Notify.URL == "" {
		return Notify{}, nil
	}
	u, err := url.Parse(a.Notify.URL)
	if err != nil || u.Host == "" || u.User != nil {
		return Notify{}, fmt.Errorf("the url is not valid")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && u.Hostname() != "localhost" && !ip.IsLoopback() {
		return Notify{}, fmt.Errorf("the url must be https")
	}
	secret, err := s.secret(a.Notify.Secret)
	return Notify{URL: a.Notify.URL, Secret: secret}, err
}

func checkAgent(a fileAgent, seen map[string]bool) error {
	switch {
	case seen[a.Name]:
		return fmt.Errorf("the name is used twice")
	case (a.Key == "") == (a.KeyHash == ""):
		return fmt.Errorf("give exactly one of key and key_hash")
	case a.ActForUsers && a.Identity.User != "":
		return fmt.Errorf("act_for_users and identity exclude each other")
	}
	seen[a.Name] = true
	return nil
}

func trimHash(h string) string {
	if len(h) > len("sha256:") {
		return h[len("sha256:"):]
	}
	return ""
}

func orDefault(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}
