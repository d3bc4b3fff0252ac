package main

import (
	"context"
	"sync"
	"time"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// localOwner answers for everything at this machine's command line and over
// standard streams.
const localOwner = identity.Local

// desk is where people decide about changes: the service, and what runs beside
// it until the engine is closed.
type desk struct {
	*approval.Service
	start func()
	stop  func()
}

// openDesk makes the service of approvals over the engine's database.
func (e *engine) openDesk(ctx context.Context, now func() time.Time) error {
	bell := approval.NewBell(approval.BellConfig{Hook: e.hookOf, Now: now, Logger: e.logger})
	s, err := approval.New(ctx, approval.Config{Book: e.precious, Rights: clearance{e, now}, Now: now, Logger: e.logger, Tell: bell.Tell, Life: e.cfg.ApprovalLife})
	if err != nil {
		return err
	}
	e.desk = &desk{Service: s, start: func() {}, stop: func() {}}
	e.desk.start = func() { e.desk.run(context.WithoutCancel(ctx), bell) }
	return nil
}

// run works in the background until stop is called.
func (d *desk) run(ctx context.Context, bell *approval.Bell) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { d.Service.Run(ctx) })
	all.Go(func() { bell.Run(ctx) })
	d.stop = func() {
		cancel()
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		timer := time.NewTimer(drain)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C: // a change that is being made is looked for at the next start
		}
	}
}

// clearance says who may decide and ask, by what the configuration and the data
// folder say now.
type clearance struct {
	e   *engine
	now func() time.Time
}

// MayApprove implements approval.Rights. Whoever can run commands on the data
// folder owns it, and may decide.
func (r clearance) MayApprove(ctx context.Context, who approval.Person) (bool, error) {
	if who == commandLine() || r.confirmsAlone(who) {
		return true, nil
	}
	a, found, err := r.agent(ctx, who.Agent)
	return found && a.approver, err
}

// confirmsAlone reports whether somebody at a client of this very machine may
// confirm what they asked for themselves; [confirmer] holds them to that.
func (r clearance) confirmsAlone(who approval.Person) bool {
	return r.e.cfg.SelfConfirm && (who.Agent == localOwner && who.Owner == localOwner || r.e.keyless)
}

// MayAsk implements approval.Rights.
func (r clearance) MayAsk(ctx context.Context, c identity.Caller) (bool, error) {
	if c.Transport == identity.Stdio || c.Agent == localOwner || r.e.keyless {
		return true, nil
	}
	a, found, err := r.agent(ctx, c.Agent)
	if err != nil || !found || a.profile != c.Profile {
		return false, err
	}
	return r.mayBe(ctx, a, c)
}

// mayBe reports whether an agent may still ask as a caller: one that names its
// users, one whose people a token or a proxy names, or else as its fixed
// identity, whatever name its account goes by.
func (r clearance) mayBe(ctx context.Context, a standing, c identity.Caller) (bool, error) {
	own := fixedIdentity(a.integration, a.user)
	switch {
	case a.actForUsers:
		return true, nil
	case a.outside:
		return c.Subject != "", nil
	case own.Kind != c.Kind || own.Integration != c.Integration:
		return false, nil
	case own.AccountID == c.AccountID, r.e.sites.Known(own.Integration, own.AccountID) == c.AccountID: // as it was mapped when it asked
		return true, nil
	}
	now, err := r.e.account(ctx, own.Integration, own.AccountID)
	var then string
	if err == nil {
		then, err = r.e.account(ctx, c.Integration, c.AccountID)
	}
	switch confluence.KindOf(err) {
	case confluence.Denied, confluence.Expired: // there is no such account, or nothing is done as it
		return false, nil
	}
	return err == nil && now == then, err
}

// standing is what of an agent's settings its rights hang on.
type standing struct {
	profile           string
	approver          bool
	actForUsers       bool
	outside           bool // a token or a proxy says who its people are
	integration, user string
}

// agent finds an agent whose key is good now, the configured one first.
func (r clearance) agent(ctx context.Context, name string) (standing, bool, error) {
	for _, a := range r.e.cfg.Agents {
		if a.Name == name {
			return standing{profile: a.Profile, approver: a.Approver, actForUsers: a.ActForUsers, outside: a.OIDC != nil || a.Proxy != nil, integration: a.Integration, user: a.User}, true, nil
		}
	}
	kept, err := r.e.precious.Agents(ctx)
	if err != nil {
		return standing{}, false, err
	}
	for _, a := range kept {
		if a.Name == name {
			good := a.Revoked.IsZero() && (a.Expires.IsZero() || r.now().Before(a.Expires))
			return standing{profile: a.Profile, approver: a.Approver, actForUsers: a.ActForUsers, integration: a.Integration, user: a.User}, good, nil
		}
	}
	return standing{}, false, nil
}

// commandLine is who decides with: approvals approve.
func commandLine() approval.Person {
	return approval.Person{Principal: "cli|" + localOwner, Agent: localOwner, Owner: localOwner}
}
