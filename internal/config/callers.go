package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"confluence-mcp/internal/reach"
	"confluence-mcp/internal/seal"
)

// Agent is a caller declared in the file. It is known by exactly one of Key,
// KeyHash (64 hex digits of a SHA-256), OIDC and Proxy. User empty means public
// content only, except with ActForUsers, where each request names its user, and
// with OIDC or Proxy, where people bring an account.
type Agent struct {
	Name        string
	Key         seal.Secret
	KeyHash     string `show:"masked"`
	OIDC        *OIDC
	Proxy       *Proxy
	Profile     string
	ActForUsers bool
	Integration string
	User        string
	Admin       bool
	Approver    bool
	Rate        float64 // requests a second of the agent as a whole; 0: the server's default
	Burst       int     // requests at once; 0: twice the rate
	Notify      Notify
}

// OIDC says which access tokens stand for an agent. Every claim of Match must
// have its value or hold it, and every scope must be there. Integration empty
// means that tokens bring no account; else it is in Claim, or, with Email, it
// is the one with the token's verified address.
type OIDC struct {
	Issuer      string
	Audience    string
	Match       map[string]string
	Scopes      []string
	Integration string
	Claim       string
	Email       bool
}

// Proxy is a proxy that has authenticated people and names them in Header, by
// account id, or with Email by address. It is trusted only when it connects
// from one of Addresses itself.
type Proxy struct {
	Addresses   []netip.Prefix
	Header      string
	Integration string
	Email       bool
}

// Notify is where an agent's approvals are told; the zero value is nowhere.
// Secret signs what is sent.
type Notify struct {
	URL    string
	Secret seal.Secret
}

type fileAgent struct {
	Name        string     `yaml:"name"`
	Key         string     `yaml:"key"`
	KeyHash     string     `yaml:"key_hash"`
	OIDC        *fileOIDC  `yaml:"oidc"`
	Proxy       *fileProxy `yaml:"proxy"`
	Profile     string     `yaml:"profile"`
	ActForUsers bool       `yaml:"act_for_users"`
	Identity    struct {
		Integration string `yaml:"integration"`
		User        string `yaml:"user"`
	} `yaml:"identity"`
	Admin    bool `yaml:"admin"`
	Approver bool `yaml:"approver"`
	Rate     struct {
		PerSecond float64 `yaml:"per_second"`
		Burst     int     `yaml:"burst"`
	} `yaml:"rate"`
	Notify struct {
		URL    string `yaml:"url"`
		Secret string `yaml:"secret"`
	} `yaml:"notify"`
}

type fileOIDC struct {
	Issuer   string            `yaml:"issuer"`
	Audience string            `yaml:"audience"`
	Match    map[string]string `yaml:"match"`
	Scopes   []string          `yaml:"scopes"`
	Account  struct {
		Integration string `yaml:"integration"`
		Claim       string `yaml:"claim"`
		Email       bool   `yaml:"email"`
	} `yaml:"account"`
}

type fileProxy struct {
	Addresses   []string `yaml:"addresses"`
	Header      string   `yaml:"header"`
	Integration string   `yaml:"integration"`
	By          string   `yaml:"by"`
}

func (s Source) fillAgents(c *Config, from []fileAgent) error {
	seen := map[string]bool{}
	for _, a := range from {
		if err := checkAgent(a, seen); err != nil {
			return invalid(fmt.Sprintf("agent %s: %v", a.Name, err), "Correct it in "+s.File+".", err)
		}
		made, err := s.agent(a)
		if err != nil {
			return invalid(fmt.Sprintf("agent %s: %v", a.Name, err), "Correct it in "+s.File+", set the variable or make the file.", err)
		}
		c.Agents = append(c.Agents, made)
	}
	return nil
}

func (s Source) agent(a fileAgent) (Agent, error) {
	made := Agent{Name: a.Name, KeyHash: trimHash(a.KeyHash), Profile: a.Profile, ActForUsers: a.ActForUsers, Integration: a.Identity.Integration,
		User: a.Identity.User, Admin: a.Admin, Approver: a.Approver, Rate: a.Rate.PerSecond, Burst: a.Rate.Burst}
	var err error
	if made.Key, err = s.secret(a.Key); err != nil {
		return made, fmt.Errorf("key: %w", err)
	}
	if made.Notify, err = s.notify(a); err != nil {
		return made, fmt.Errorf("notify: %w", err)
	}
	if made.OIDC, err = s.oidc(a.OIDC); err != nil {
		return made, fmt.Errorf("oidc: %w", err)
	}
	if made.Proxy, err = proxy(a.Proxy); err != nil {
		return made, fmt.Errorf("proxy: %w", err)
	}
	return made, nil
}

// thisMachine is the agent of the command line, as identity.Local.
const thisMachine = "local"

// ways is in how many ways an agent says who it is.
func (a fileAgent) ways() int {
	n := 0
	for _, given := range []bool{a.Key != "", a.KeyHash != "", a.OIDC != nil, a.Proxy != nil} {
		if given {
			n++
		}
	}
	return n
}

// forPeople reports whether it stands for people with accounts of their own.
func (a fileAgent) forPeople() bool {
	return a.Proxy != nil || a.OIDC != nil && a.OIDC.Account.Integration != ""
}

func checkAgent(a fileAgent, seen map[string]bool) error {
	switch {
	case seen[a.Name]:
		return errors.New("the name is used twice")
	case a.Name == thisMachine:
		return errors.New("the name stands for this machine's command line; choose another")
	case a.ways() != 1:
		return errors.New("give exactly one of key, key_hash, oidc and proxy")
	case a.ActForUsers && a.Identity.User != "":
		return errors.New("act_for_users and identity exclude each other")
	case a.forPeople() && (a.ActForUsers || a.Identity.User != ""):
		return errors.New("people bring their own account, which excludes act_for_users and identity")
	case a.Proxy != nil && (a.Admin || a.Approver):
		return errors.New("a proxy names people for reading and writing; admin and approver need a key or oidc")
	case a.Rate.Burst > 0 && a.Rate.PerSecond == 0:
		return errors.New("rate: burst needs per_second")
	}
	seen[a.Name] = true
	return nil
}

func (s Source) oidc(from *fileOIDC) (*OIDC, error) {
	if from == nil {
		return nil, nil
	}
	o := &OIDC{Match: from.Match, Scopes: from.Scopes, Integration: from.Account.Integration, Claim: from.Account.Claim, Email: from.Account.Email}
	for _, v := range []struct {
		name, text string
		to         *string
	}{{"issuer", from.Issuer, &o.Issuer}, {"audience", from.Audience, &o.Audience}} {
		text, err := s.value(v.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		*v.to = text
	}
	switch {
	case o.Integration != "" && (o.Claim != "") == o.Email:
		return nil, errors.New("account: give exactly one of claim and email: true")
	case o.Integration == "" && (o.Claim != "" || o.Email):
		return nil, errors.New("account: name the integration it is an account of")
	}
	return o, nil
}

func proxy(from *fileProxy) (*Proxy, error) {
	if from == nil {
		return nil, nil
	}
	p := &Proxy{Header: from.Header, Integration: from.Integration, Email: from.By == "email"}
	for _, text := range from.Addresses {
		prefix, err := netip.ParsePrefix(text)
		if !strings.Contains(text, "/") {
			var one netip.Addr
			if one, err = netip.ParseAddr(text); err == nil {
				prefix = netip.PrefixFrom(one, one.BitLen())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network such as 10.0.0.0/28", text)
		}
		p.Addresses = append(p.Addresses, prefix)
	}
	return p, nil
}

// notify reads where an agent's approvals are told. Plain http is for this
// machine only.
func (s Source) notify(a fileAgent) (Notify, error) {
	if a.Notify.URL == "" {
		return Notify{}, nil
	}
	if _, err := reach.CheckURL(a.Notify.URL); err != nil {
		return Notify{}, err
	}
	secret, err := s.secret(a.Notify.Secret)
	return Notify{URL: a.Notify.URL, Secret: secret}, err
}

func trimHash(h string) string {
	if len(h) > len("sha256:") {
		return h[len("sha256:"):]
	}
	return ""
}

// Issuers are the issuers of the agents known by OIDC, each once, and the
// scopes their tokens are asked for.
func (c Config) Issuers() (urls, scopes []string) {
	for _, a := range c.Agents {
		if a.OIDC == nil {
			continue
		}
		urls, scopes = append(urls, a.OIDC.Issuer), append(scopes, a.OIDC.Scopes...)
	}
	return unique(urls), unique(scopes)
}

// unique keeps the first of equal texts, in their order.
func unique(all []string) []string {
	var out []string
	for _, one := range all {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}
