package oauth

import (
	"net/http"
	"slices"
	"strings"
)

// resourceRow is one entry of accessible-resources.
type resourceRow struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	AvatarURL string   `json:"avatarUrl"`
}

// Resources is GET /oauth/token/accessible-resources: the granted sites that
// still exist and still have the person as a user; an empty array when none.
func (p *Provider) Resources(w http.ResponseWriter, r *http.Request) {
	g, ok := p.bearer(w, r)
	if !ok {
		return
	}
	p.mu.Lock()
	twice := p.settings.DuplicateResources != nil && *p.settings.DuplicateResources
	p.mu.Unlock()
	rows := []resourceRow{}
	for _, s := range p.dir.Resources() {
		if !g.Allows(s.CloudID) || !p.dir.Member(s.CloudID, g.User) {
			continue
		}
		row := resourceRow{ID: s.CloudID, URL: s.URL, Name: s.Name, Scopes: confluenceScopes(g.Scopes),
			AvatarURL: s.URL + "/avatar.png"}
		if twice { // another product on the same site has the same id
			other := row
			other.Scopes = []string{"read:jira-work"}
			rows = append(rows, other)
		}
		rows = append(rows, row)
	}
	writeJSON(w, http.StatusOK, rows)
}

// confluenceScopes leaves out scopes that concern the account, not a site.
func confluenceScopes(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool {
		return s == "offline_access" || s == "read:me" || s == "read:account"
	})
}

type account struct {
	Type      string `json:"account_type"`
	ID        string `json:"account_id"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	Nickname  string `json:"nickname"`
	Picture   string `json:"picture"`
	Status    string `json:"account_status"`
	Confirmed bool   `json:"email_verified"`
}

// Me is GET /me; it needs the scope read:me.
func (p *Provider) Me(w http.ResponseWriter, r *http.Request) {
	g, ok := p.bearer(w, r)
	if !ok {
		return
	}
	if !slices.Contains(g.Scopes, "read:me") {
		unauthorized(w, "Unauthorized; scope does not match")
		return
	}
	person, ok := p.dir.Person(g.User)
	if !ok {
		unauthorized(w, "Unauthorized")
		return
	}
	writeJSON(w, http.StatusOK, account{Type: "atlassian", ID: person.ID, Email: person.Email, Name: person.Name,
		Nickname: person.Name, Status: "active", Confirmed: true})
}

// bearer is the grant of the request's token; false when it has been refused.
func (p *Provider) bearer(w http.ResponseWriter, r *http.Request) (Grant, bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if ok {
		if g, valid := p.Check(token); valid {
			return g, true
		}
	}
	unauthorized(w, "Unauthorized")
	return Grant{}, false
}

func unauthorized(w http.ResponseWriter, message string) {
	writeJSON(w, http.StatusUnauthorized, map[string]any{"code": http.StatusUnauthorized, "message": message})
}
