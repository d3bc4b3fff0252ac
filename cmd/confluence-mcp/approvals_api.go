package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
	"confluence-mcp/tools"
)

// approvalAPI is /api/approvals: agents with the approver right see all and
// decide, others see what they asked for themselves.
type approvalAPI struct {
	e         *engine
	now       func() time.Time
	agent     func(*http.Request) (server.Agent, error) // who asks, and takes one from the rate
	challenge func(http.ResponseWriter, *http.Request, error)
	key       []byte // of the proofs that a request was looked at
}

func newApprovalAPI(e *engine, now func() time.Time) *approvalAPI {
	s := &approvalAPI{e: e, now: now, key: make([]byte, 32)}
	_, _ = rand.Read(s.key) // crypto/rand never fails
	return s
}

// routes are the handlers of approvals, the audit log and the profiles, by
// pattern of http.ServeMux.
func (s *approvalAPI) routes() map[string]http.Handler {
	out := map[string]http.Handler{}
	for pattern, h := range map[string]func(*http.Request, server.Agent) (any, error){
		"GET /api/approvals": s.list, "GET /api/approvals/{id}": s.show,
		"POST /api/approvals/{id}/approve": s.told(s.approve), "POST /api/approvals/{id}/reject": s.told(s.reject), "POST /api/approvals/{id}/cancel": s.cancel,
		"POST /api/approvals/{id}/resolve": s.resolve,
	} {
		out[pattern] = s.answer(h)
	}
	maps.Copy(out, auditAPI{s}.routes())
	maps.Copy(out, profileAPI{s}.routes())
	return out
}

// answer authenticates, runs h and encodes what it gives.
func (s *approvalAPI) answer(h func(*http.Request, server.Agent) (any, error)) http.Handler {
	return s.guarded(func(w http.ResponseWriter, r *http.Request, agent server.Agent) error {
		out, err := h(r, agent)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the asker is gone
		return nil
	})
}

// told writes into the log whose verdict was refused before it came to be
// judged.
func (s *approvalAPI) told(h func(*http.Request, server.Agent) (any, error)) func(*http.Request, server.Agent) (any, error) {
	return func(r *http.Request, a server.Agent) (any, error) {
		out, err := h(r, a)
		var no *confluence.Error
		if errors.As(err, &no) {
			s.e.logger.Warn("approval verdict refused", "approval", r.PathValue("id"), "by", a.Name, "refusal", no.StableCode())
		}
		return out, err
	}
}

// guarded settles which agent asks, runs h and answers its error.
func (s *approvalAPI) guarded(h func(http.ResponseWriter, *http.Request, server.Agent) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		agent, err := s.agent(r)
		var known *confluence.Error
		if err != nil && !errors.As(err, &known) {
			s.challenge(w, r, err)
			return
		}
		if err == nil {
			err = h(w, r, agent)
		}
		if err != nil {
			api.Refuse(w, s.e.logger, err)
		}
	})
}

func (s *approvalAPI) list(r *http.Request, a server.Agent) (any, error) {
	f := approval.Filter{States: openApprovals()}
	if !a.Approver {
		f.Agent, f.Owner = a.Name, a.Owner
	}
	q := r.URL.Query()
	switch q.Get("state") {
	case "", "open":
	case "all":
		f.States = nil
	default:
		f.States = []approval.State{approval.State(q.Get("state"))}
	}
	if l := q.Get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > 1000 {
			return nil, &confluence.Error{Kind: confluence.Invalid, Message: "limit is not a number from 1 to 1000.", Next: "Send for example limit=50."}
		}
		f.Limit = n
	}
	found, err := s.e.desk.List(r.Context(), f)
	if err != nil {
		return nil, err
	}
	out := []approvalAnswer{}
	for _, one := range found {
		if a.Approver || askedBy(one, a) {
			out = append(out, answerApproval(one, s.now()))
		}
	}
	return map[string]any{"approvals": out}, nil
}

// askedBy: people who share an agent have owners of their own.
func askedBy(one approval.Request, a server.Agent) bool {
	return one.Requester.Agent == a.Name && one.Requester.Owner == a.Owner
}

// find gives a request the agent may see. Somebody else's is not there.
func (s *approvalAPI) find(ctx context.Context, id string, a server.Agent) (approval.Request, error) {
	one, err := s.e.desk.Show(ctx, id)
	if err == nil && !a.Approver && !askedBy(one, a) {
		err = noApproval(id)
	}
	return one, err
}

func noApproval(id string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: "find approval", Ref: id, Message: "There is no approval with this id.", Next: "Check the id."}
}

func (s *approvalAPI) show(r *http.Request, a server.Agent) (any, error) {
	one, err := s.find(r.Context(), r.PathValue("id"), a)
	if err != nil {
		return nil, err
	}
	out := answerApproval(one, s.now())
	out.Diff, out.Args = one.Private.Diff, one.Private.Args
	if a.Approver {
		out.View = s.view(one, a)
	}
	return out, nil
}

// view proves that an agent was shown this very change by this process.
func (s *approvalAPI) view(one approval.Request, a server.Agent) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(one.ID + "|" + one.Digest + "|" + a.Authority + "|" + a.Name + "|" + a.Subject))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

type verdictBody struct {
	View   string `json:"view"`
	Reason string `json:"reason"`
	Landed *bool  `json:"landed"`
	Note   string `json:"note"`
}

// verdict reads what an approver sends.
func (s *approvalAPI) verdict(r *http.Request, a server.Agent) (verdictBody, approval.Request, error) {
	var b verdictBody
	if !a.Approver {
		return b, approval.Request{}, &confluence.Error{Kind: confluence.Denied, Code: "approval.right", Message: "This agent may not decide approvals.", Next: "Ask the administrator for the approver right."}
	}
	if err := bodyOf(r, &b); err != nil {
		return b, approval.Request{}, err
	}
	one, err := s.find(r.Context(), r.PathValue("id"), a)
	return b, one, err
}

func (s *approvalAPI) approve(r *http.Request, a server.Agent) (any, error) {
	b, one, err := s.verdict(r, a)
	if err != nil {
		return nil, err
	}
	asked := one.Requester
	switch { // before anybody is looked up
	case decider(a).Is(asked):
		return nil, errSelf()
	case !hmac.Equal([]byte(b.View), []byte(s.view(one, a))):
		return nil, &confluence.Error{Kind: confluence.Conflict, Code: "approval.view", Message: "The request was not looked at by this approver.", Next: "GET it first and send its view back."}
	}
	by, err := s.person(r.Context(), a)
	if err != nil {
		return nil, err
	}
	if asked.Account, err = s.e.account(r.Context(), one.Private.Caller.Integration, asked.Account); err != nil {
		return nil, err
	}
	if by.Is(asked) {
		return nil, errSelf()
	}
	done, err := s.e.desk.Approve(r.Context(), approval.Verdict{ID: one.ID, Digest: one.Digest, By: by})
	if err != nil {
		return nil, err
	}
	return answerApproval(done, s.now()), nil
}

func errSelf() error {
	return &confluence.Error{Kind: confluence.Denied, Code: "approval.self", Message: "Who asked for a change cannot approve it.", Next: "Somebody else with the approver right has to."}
}

func (s *approvalAPI) reject(r *http.Request, a server.Agent) (any, error) {
	b, one, err := s.verdict(r, a)
	if err != nil {
		return nil, err
	}
	done, err := s.e.desk.Reject(r.Context(), approval.Verdict{ID: one.ID, By: decider(a), Reason: b.Reason}) // one's own harms nobody
	if err != nil {
		return nil, err
	}
	return answerApproval(done, s.now()), nil
}

// cancel is the requesting agent's own withdrawal, or an administrator's.
func (s *approvalAPI) cancel(r *http.Request, a server.Agent) (any, error) {
	one, err := s.e.desk.Show(r.Context(), r.PathValue("id"))
	own := err == nil && askedBy(one, a)
	switch {
	case err == nil && !own && !a.Approver && !a.Admin:
		err = noApproval(one.ID)
	case err == nil && !own && !a.Admin:
		err = &confluence.Error{Kind: confluence.Denied, Message: "Only who asked, or an administrator, can cancel.", Next: "Reject it instead."}
	}
	if err != nil {
		return nil, err
	}
	w := approval.Withdrawal{ID: one.ID, By: one.Requester}
	if !own {
		w.By, w.Admin = decider(a), true
	}
	done, err := s.e.desk.Cancel(r.Context(), w)
	if err != nil {
		return nil, err
	}
	return answerApproval(done, s.now()), nil
}

// resolve ends a doubt by the word of an approver who looked in Confluence.
func (s *approvalAPI) resolve(r *http.Request, a server.Agent) (any, error) {
	b, one, err := s.verdict(r, a)
	if err != nil {
		return nil, err
	}
	if b.Landed == nil {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.missing", Message: "landed is missing.", Next: `Send {"landed":true,"note":"…"} or {"landed":false,"note":"…"}.`}
	}
	done, err := s.e.desk.Resolve(r.Context(), approval.Finding{ID: one.ID, By: decider(a), Landed: *b.Landed, Note: b.Note})
	if err != nil {
		return nil, err
	}
	return answerApproval(done, s.now()), nil
}

// callerOf is the agent as a caller, by the name its account goes by.
func callerOf(a server.Agent) identity.Caller {
	c := a.Identity
	if c.Kind == "" {
		c.Kind = identity.Nobody
	}
	c.Agent, c.Owner, c.Subject = a.Name, a.Owner, a.Subject
	return c
}

// decider is the agent as somebody who decides what nobody has to be looked up
// for: who asked may reject, withdraw and tell what became of it as well.
func decider(a server.Agent) approval.Person { return approval.PersonOf(callerOf(a)) }

// person is the agent as somebody who approves, by the id of its account.
func (s *approvalAPI) person(ctx context.Context, a server.Agent) (approval.Person, error) {
	c := callerOf(a)
	id, err := s.e.account(ctx, c.Integration, c.AccountID)
	c.AccountID = id
	return approval.PersonOf(c), err
}

// account gives the id of the account that goes by a name: an id, a user name or
// an address. Two names may be one account's, so one that no account is known to
// go by decides nothing: kind Denied (approval.self). When that can't be told now,
// the error is of the kind that says why.
func (e *engine) account(ctx context.Context, integration, named string) (string, error) {
	if named == "" {
		return "", nil
	}
	people := tools.Sites(e.copy)
	if !e.sites.Synced(integration) { // there the copy knows nobody; Confluence knows ids
		people = e.sites
	}
	site, err := people.For(ctx, identity.Caller{Kind: identity.User, Integration: integration, AccountID: named})
	if err == nil {
		var me confluence.User
		if me, err = site.CurrentUser(ctx); err == nil && me.ID != "" {
			return me.ID, nil
		}
	}
	site, second := e.sites.Shared(integration)
	if second == nil {
		var u confluence.User
		if u, second = site.User(ctx, named); second == nil && u.ID == named {
			return named, nil
		}
	}
	for _, err := range []error{err, second} {
		switch confluence.KindOf(err) {
		case confluence.Unavailable, confluence.Limited, confluence.Expired:
			return "", untold(named, err)
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", &confluence.Error{Kind: confluence.Denied, Code: "approval.self", Op: "find account", Err: cmp.Or(err, second),
		Message: "Whose account " + named + " is can't be found out, and who asked for a change cannot approve it.",
		Next:    "Name the account by its id: in the agent's identity, or where the call names its user."}
}

// askAgain is when to ask again whose account it is, where nobody says when.
const askAgain = 5 * time.Second

// untold says that whose account it is can't be told now, and why.
func untold(named string, why error) error {
	var known *confluence.Error
	if !errors.As(why, &known) {
		return why
	}
	e := *known
	e.Op, e.Err, e.Message = "find account", why, "Whose account "+named+" is can't be found out now, and who asked for a change cannot approve it."
	if e.Kind != confluence.Expired {
		e.RetryAfter = cmp.Or(e.RetryAfter, askAgain)
	}
	return &e
}
