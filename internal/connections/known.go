package connections

import "strings"

// Known is [Set.Account] by what is known already: it asks Confluence nothing,
// so whoever is asked for stays who they are until the account is known.
func (s *Set) Known(integration, who string) string {
	one, err := s.find(integration)
	if err != nil || who == "" {
		return who
	}
	me := one.account.Load()
	if !strings.EqualFold(who, one.spec.Username) && (me == nil || !strings.EqualFold(who, me.Email)) {
		return who
	}
	if id := one.accountID(); id != "" {
		return id
	}
	return who
}

// accountID is the connecting account as far as it is known: by having been
// asked, by a sync, or by what the mirror was told before this start.
func (c *connection) accountID() string {
	if me := c.account.Load(); me != nil {
		return me.ID
	}
	if id := c.learned.Load(); id != nil {
		return *id
	}
	if f := c.fill(); f != nil {
		return f.known.Account
	}
	return ""
}
