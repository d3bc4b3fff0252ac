package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
)

const (
	callTimeout = 30 * time.Second
	maxAnswer   = 1 << 20 // bytes; a list of a thousand sites is 300 kB
	maxToken    = 16 << 10
)

// newHTTPClient follows no redirect and uses no proxy: tokens go to the
// configured hosts and nowhere else.
func newHTTPClient(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{DialContext: (&net.Dialer{Timeout: callTimeout}).DialContext, TLSHandshakeTimeout: callTimeout, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10}
	}
	return &http.Client{Transport: t, Timeout: callTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type tokenRequest struct {
	GrantType    string `json:"grant_type"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Code         string `json:"code,omitempty"`
	RedirectURI  string `json:"redirect_uri,omitempty"`
	Verifier     string `json:"code_verifier,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// pair is an answer of the token endpoint.
type pair struct {
	access, refresh string
	scopes          []string
	asked           time.Time
	life            time.Duration
}

// refusal is a clear no of the token endpoint to what was sent. It never leaves
// the package.
type refusal struct{ status int }

func (r *refusal) Error() string { return "refused with status " + strconv.Itoa(r.status) }

func refusedGrant(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

// ask sends one token request. Nothing of the answer's text gets into an error:
// it may repeat what was sent.
func (g *Grants) ask(ctx context.Context, in tokenRequest) (pair, error) {
	in.ClientID, in.ClientSecret = g.cfg.App.ClientID, g.cfg.App.ClientSecret.Reveal()
	body, err := json.Marshal(in)
	if err != nil {
		return pair{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.cfg.App.auth("/oauth/token"), bytes.NewReader(body))
	if err != nil {
		return pair{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	asked := g.cfg.Now()
	status, header, raw, err := g.send(req)
	if err != nil {
		return pair{}, err
	}
	if status != http.StatusOK {
		return pair{}, judgeToken(status, header, raw)
	}
	p, err := parsePair(raw)
	p.asked = asked
	return p, err
}

// judgeToken tells a wrong client secret (401) from a grant that is no longer
// good (400 or 403 with one of two codes) and from everything that may pass.
// The code alone would not do: access_denied also means a declined consent.
func judgeToken(status int, header http.Header, raw []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(raw, &said) // no JSON: no code
	switch {
	case status == http.StatusUnauthorized:
		return &confluence.Error{Kind: confluence.Expired, Code: "auth.client", Op: "ask for tokens",
			Message: "Atlassian does not know this client id with this client secret", Next: "Copy oauth.client_id and oauth.client_secret again from your app at developer.atlassian.com. No connection is lost."}
	case status == http.StatusTooManyRequests:
		return &confluence.Error{Kind: confluence.Limited, Op: "ask for tokens", Message: "Atlassian limits how often tokens are asked for", Next: "Try again later.", RetryAfter: retryAfter(header)}
	case (status == http.StatusBadRequest || status == http.StatusForbidden) && (said.Error == "invalid_grant" || said.Error == "unauthorized_client"):
		return &refusal{status}
	}
	return oddAnswer("the token endpoint", status)
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 || n > 3600 {
		return time.Minute
	}
	return time.Duration(n) * time.Second
}

func oddAnswer(what string, status int) error {
	return &confluence.Error{Kind: confluence.Unavailable, Op: "ask Atlassian", Message: what + " gives an answer that is none (status " + strconv.Itoa(status) + ")", Next: "Try again in a minute."}
}

func parsePair(raw []byte) (pair, error) {
	var a struct {
		Access  string  `json:"access_token"`
		Refresh string  `json:"refresh_token"`
		Expires float64 `json:"expires_in"`
		Scope   string  `json:"scope"`
		Type    string  `json:"token_type"`
	}
	ok := json.Unmarshal(raw, &a) == nil && a.Access != "" && tokenLike(a.Access) && tokenLike(a.Refresh)
	if !ok || a.Type != "" && !strings.EqualFold(a.Type, "bearer") {
		return pair{}, oddAnswer("the token endpoint", http.StatusOK)
	}
	p := pair{access: a.Access, refresh: a.Refresh, life: time.Hour}
	if a.Expires >= 1 && a.Expires < math.MaxInt32 {
		p.life = time.Duration(a.Expires) * time.Second
	}
	if a.Scope != "" {
		p.scopes = strings.Fields(a.Scope)
	}
	return p, nil
}

// tokenLike keeps line breaks and the like out of headers.
func tokenLike(s string) bool {
	return len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// send performs a request and reads a JSON answer whole.
func (g *Grants) send(req *http.Request) (status int, header http.Header, raw []byte, err error) {
	req.Header.Set("Accept", "application/json")
	res, err := g.http.Do(req)
	if err != nil {
		return 0, nil, nil, noAnswer(req)
	}
	defer func() { _ = res.Body.Close() }() // read to its end or given up
	raw, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, nil, noAnswer(req)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if len(raw) > maxAnswer || res.StatusCode == http.StatusOK && kind != "application/json" {
		return 0, nil, nil, oddAnswer("Atlassian", res.StatusCode)
	}
	return res.StatusCode, res.Header, raw, nil
}

// noAnswer leaves the cause out: it names the whole address.
func noAnswer(req *http.Request) error {
	return &confluence.Error{Kind: confluence.Unavailable, Op: "ask Atlassian", Message: req.URL.Host + " does not answer", Next: "Check the network and try again."}
}

// Site is one Confluence site that a grant opens.
type Site struct {
	CloudID string `json:"cloudId"`
	Name    string `json:"name"`
	URL     string `json:"url"` // its address in a browser, without /wiki
}

// resources lists the granted Confluence sites, each once. strange is how many
// more there were whose address is not one of Atlassian's; they are never used.
// Kind Expired when the token is not known.
func (g *Grants) resources(ctx context.Context, access string) (sites []Site, strange int, err error) {
	var rows []struct {
		ID, Name, URL string
		Scopes        []string
	}
	if err := g.get200(ctx, access, "/oauth/token/accessible-resources", &rows); err != nil {
		return nil, 0, err
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if !strings.Contains(strings.Join(r.Scopes, " "), "confluence") || seen[r.ID] {
			continue // another product on the same site has the same id
		}
		address, ok := g.cfg.App.siteURL(r.URL)
		if !ok || !isCloudID(r.ID) {
			strange++
			continue
		}
		seen[r.ID] = true
		sites = append(sites, Site{CloudID: r.ID, Name: shown(r.Name), URL: address})
	}
	return sites, strange, nil
}

// person tells whose account a token is, as a site knows it.
func (g *Grants) person(ctx context.Context, access, cloudID string) (id, name string, err error) {
	var u struct {
		AccountID   string `json:"accountId"`
		DisplayName string `json:"displayName"`
		PublicName  string `json:"publicName"`
	}
	if err := g.get200(ctx, access, "/ex/confluence/"+cloudID+"/wiki/rest/api/user/current", &u); err != nil {
		return "", "", err
	}
	if len(u.AccountID) > 128 || !accountForm.MatchString(u.AccountID) {
		return "", "", oddAnswer("Confluence", http.StatusOK)
	}
	if u.DisplayName == "" {
		u.DisplayName = u.PublicName
	}
	return u.AccountID, shown(u.DisplayName), nil
}

var accountForm = regexp.MustCompile(`^[0-9A-Za-z:_.-]+$`)

// get200 reads JSON with an access token.
func (g *Grants) get200(ctx context.Context, access, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.cfg.App.api(path), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+access)
	status, header, raw, err := g.send(req)
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &confluence.Error{Kind: confluence.Expired, Code: "auth.refused", Op: "ask Atlassian", Message: "the token is refused (status " + strconv.Itoa(status) + ")", Next: "Consent again: confluence-mcp reconnect."}
	case status == http.StatusTooManyRequests:
		return &confluence.Error{Kind: confluence.Limited, Op: "ask Atlassian", Message: "Atlassian limits how often it is asked", Next: "Try again later.", RetryAfter: retryAfter(header)}
	case status != http.StatusOK || json.Unmarshal(raw, into) != nil:
		return oddAnswer("Atlassian", status)
	}
	return nil
}

// shown cleans a name of somebody else for people's eyes: one line, bounded.
func shown(s string) string {
	out := []rune(strings.ToValidUTF8(s, "?"))
	if len(out) > 200 {
		out = out[:200]
	}
	for i, r := range out {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff {
			out[i] = '?'
		}
	}
	return string(out)
}
