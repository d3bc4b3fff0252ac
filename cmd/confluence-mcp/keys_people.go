package main

import (
	"context"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store"
)

// byEmail is the identity of somebody who is known by a verified address: the
// one account that has it now, which must be the one this person had before.
// Whoever has no such account is nobody, who sees public content.
func (e *engine) byEmail(ctx context.Context, who store.Person) (identity.Caller, error) {
	account, err := e.accountOf(ctx, who.Integration, who.Email)
	if err != nil {
		return identity.Caller{}, err
	}
	if account == "" {
		return fixedIdentity("", ""), nil
	}
	who.AccountID = account
	err = e.precious.KeepPerson(ctx, who)
	if confluence.KindOf(err) == confluence.Conflict {
		e.logger.Warn("an e-mail address belongs to somebody else than before; no account is given", "authority", who.Authority, "integration", who.Integration)
		return fixedIdentity("", ""), nil
	}
	if err != nil {
		return identity.Caller{}, err
	}
	return fixedIdentity(who.Integration, account), nil
}

// accountPatience is how long Confluence may take to say who the connecting
// account is, while somebody waits to be let in.
const accountPatience = 3 * time.Second

// accountOf finds the one account of an integration with this address; "" when
// there is none, or several, or nobody can tell now.
func (e *engine) accountOf(ctx context.Context, integration, email string) (string, error) {
	if account := e.sites.Known(integration, email); account != email {
		return account, nil
	}
	account, err := e.copiedAccount(ctx, integration, email)
	if account != "" || err != nil {
		return account, err
	}
	ctx, cancel := context.WithTimeout(ctx, accountPatience)
	defer cancel()
	if account = e.sites.Account(ctx, integration, email); account != email {
		return account, nil
	}
	return "", nil
}

// copiedAccount finds the account in the copy of Confluence, where there is one.
func (e *engine) copiedAccount(ctx context.Context, integration, email string) (string, error) {
	open := e.copy.copy.Load()
	id, err := e.sites.ID(integration)
	if open == nil || err != nil {
		return "", nil
	}
	who, err := open.mirror.Writer().Person(ctx, id, email)
	switch {
	case confluence.KindOf(err) == confluence.NotFound:
		return "", nil
	case err != nil:
		return "", err
	case who.Email != email || who.App || !who.Active: // a user name that looks like an address is not one
		return "", nil
	}
	return who.ID, nil
}
