package tools

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

// call is one call on its way through the gate.
type call struct {
	catalog  *Catalog
	tool     *tool // what it is; an undo becomes the write that puts back
	asked    *tool // as the caller named it
	caller   identity.Caller
	raw      json.RawMessage
	progress Progress
	started  time.Time

	in       any
	args     []byte // canonical JSON of the arguments
	dryRun   bool
	ruled    bool // what only rules look at is loaded
	place    bool // it stands for where a write goes: nobody reads there
	fresh    bool // nothing is answered from a copy
	site     Site
	info     confluence.Site
	on       subject
	request  policy.Request
	decision policy.Decision
	plan     *plan
	entry    int64 // of the audit log
	recorded bool
	ran      bool          // the handler was reached
	judged   time.Duration // what policy took
	trail    *confluence.Trail
	nonce    string
	people   map[string]string // names by account id, of those looked up

	undoing *audit.Change // what an undo undoes
	inverse inverse       // and how
	looking bool          // for a change in doubt; nothing is going to be made

	approved   *approval.Request // set while an approved change is made
	earlier    *approval.Request // the newest request of this very call
	answered   *answer           // what an earlier, executed request gave
	approvalID string
}

// decode reads the arguments and refuses whatever the schema does not name.
func (k *call) decode(context.Context) error {
	if len(k.raw) > k.catalog.cfg.Limits.ArgumentBytes {
		return &confluence.Error{Kind: confluence.Limited, Code: "limit.too_large",
			Message: fmt.Sprintf("The arguments have %d bytes; at most %d are taken.", len(k.raw), k.catalog.cfg.Limits.ArgumentBytes), Next: "Send less."}
	}
	if trimmed := bytes.TrimSpace(k.raw); len(trimmed) == 0 || string(trimmed) == "null" {
		k.raw = json.RawMessage("{}")
	}
	v, err := parseStrict(k.raw)
	if err != nil {
		return invalid("malformed", "The arguments cannot be read: "+err.Error()+".", "Send one JSON object, each argument once.")
	}
	if err := k.tool.args.check("", v); err != nil {
		return err
	}
	if k.args, err = json.Marshal(v); err != nil { // keys come out sorted
		return fmt.Errorf("normalise arguments: %w", err)
	}
	obj, _ := v.(map[string]any)
	k.dryRun, _ = obj["dry_run"].(bool)
	k.fresh, _ = obj["fresh"].(bool)
	if k.in, err = k.tool.decode(k.args); err != nil {
		return invalid("malformed", "The arguments do not fit the tool's schema.", "Compare them with the schema and call again.")
	}
	if v, ok := k.in.(interface{ validate() error }); ok {
		return v.validate()
	}
	return nil
}

func (k *call) limit(context.Context) error {
	return k.catalog.rates.take(k.caller.Payer(), k.started)
}

func (k *call) connect(ctx context.Context) error {
	if k.tool.Group == "" {
		return nil
	}
	site, err := k.catalog.cfg.Sites.For(ctx, k.caller)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if c, ok := site.(Copied); ok && (k.fresh || !k.tool.ReadOnly) {
		site = c.Live() // a change begins with what there is now
	}
	k.site, k.info = site, site.Describe()
	return nil
}

// describe says what the call is about, and loads it when a write, a rule or a
// space limit has to look at it.
func (k *call) describe(ctx context.Context) error {
	k.request = policy.Request{
		Tool: k.tool.Name, Group: k.tool.Group, Action: k.tool.Action, Live: true,
		Caller: k.caller, Site: policy.Site{ID: k.info.ID, Kind: k.info.Kind}, Now: k.started,
		Resource: policy.Resource{UpdatedAt: time.Unix(0, 0).UTC()},
		Context:  k.catalog.cfg.Taints.Of(k.caller.Payer(), k.started),
	}
	if k.tool.Group == "" {
		return nil
	}
	t := k.tool.target(k.in)
	k.request.Resource.Type, k.request.Resource.ID, k.request.Resource.SpaceKey = t.kind, t.id, t.spaceKey
	k.request.Change.TargetSpaceKey, k.request.Change.Title = t.toSpace, t.title
	ruled := k.needsResource() || k.shows() && k.looks()
	if !ruled && k.tool.ReadOnly && !k.limited() && t.id != "" {
		return nil
	}
	k.ruled = ruled
	return k.load(ctx, t, ruled)
}

func (k *call) needsResource() bool {
	return k.catalog.cfg.Policy.NeedsResource(k.caller.Profile, k.tool.Name, k.tool.Group, k.request.Action)
}

// decide asks policy about the call as it is known so far.
func (k *call) decide(context.Context) error {
	if k.tool.Group == "" {
		k.decision = policy.Decision{Effect: policy.Allow, Reason: "own_state", Profile: k.caller.Profile}
		return nil
	}
	if k.tool.listing && k.needsResource() {
		// Each row is judged by itself; here only the cell counts, and
		// Visible said yes before the call began.
		k.decision = policy.Decision{Effect: policy.Allow, Reason: "judged_by_row", Profile: k.caller.Profile}
		return nil
	}
	k.decision = k.judge(k.request)
	if err := refusal(k.decision); err != nil || !k.shows() || k.on.page == nil {
		return err
	}
	return k.mayLook(k.request, k.on.page)
}

// prepare works out what a write would change, then asks policy again, because
// rules may look at the change and the action may have become a graver one.
func (k *call) prepare(ctx context.Context) error {
	if k.tool.plan == nil {
		return nil
	}
	if k.undoing != nil {
		if err := k.asLeft(ctx); err != nil {
			return err
		}
	}
	p, err := k.tool.plan(ctx, k, k.in)
	if err != nil {
		return err
	}
	k.plan = p
	if err := k.guardUndo(); err != nil {
		return err
	}
	k.request.Action = cmp.Or(p.action, k.tool.Action)
	if !k.ruled && k.needsResource() { // the action became one that rules look closer at
		k.ruled = true
		if err := k.fill(ctx, k.tool.target(k.in), true); err != nil {
			return err
		}
	}
	return k.judgePlan()
}

// judgePlan is the strictest decision on the plan and, for a move, on where it
// goes.
func (k *call) judgePlan() error {
	k.request.Change = k.plan.change
	k.request.Action = cmp.Or(k.plan.action, k.tool.Action)
	k.decision = k.judge(k.request)
	for _, r := range k.plan.also {
		if d := k.judge(k.request.At(r)); d.Effect < k.decision.Effect {
			k.decision = d
		}
	}
	return refusal(k.decision)
}

// record writes the call down before it runs. A write that cannot be written
// down does not run; a read does, and the log says that its record is missing.
func (k *call) record(ctx context.Context) error {
	err := k.begin(ctx)
	if err == nil || k.tool.ReadOnly {
		return nil
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "audit.unavailable", Err: err,
		Message: "The change could not be written to the audit log, so it was not made.", Next: "Nothing was changed. Tell the administrator; try again later."}
}

func (k *call) begin(ctx context.Context) error {
	id, err := k.catalog.newNonce()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(k.args)
	r := k.request
	k.entry, err = k.catalog.cfg.Log.Begin(ctx, audit.Entry{
		Time: k.started, DecisionID: id, PolicyRevision: k.decision.Revision, Profile: k.caller.Profile,
		Principal: k.caller.Principal(), Kind: string(k.caller.Kind), Transport: k.caller.Transport,
		Tool: k.tool.Name, Group: string(k.tool.Group), Action: string(cmp.Or(r.Action, k.tool.Action)), Site: k.info.Name,
		ResourceType: r.Resource.Type, ResourceID: r.Resource.ID, SpaceKey: r.Resource.SpaceKey,
		Effect: k.decision.Effect.String(), Reason: k.decision.Reason,
		RulesMatched: k.decision.Matched, RulesErrored: k.decision.Errored,
		ArgsSHA256: hex.EncodeToString(sum[:]), DryRun: k.dryRun, Write: !k.tool.ReadOnly, ApprovalID: k.approvalID,
		Client: k.caller.Client, TraceID: k.caller.Trace, Cost: k.decision.Cost, EvalMicros: k.judged.Microseconds(), Facts: k.facts(),
	})
	if err != nil {
		k.catalog.cfg.Logger.ErrorContext(ctx, "call not recorded", "tool", k.tool.Name, "caller", k.caller.Principal(), "err", err)
		return fmt.Errorf("record call: %w", err)
	}
	k.recorded = true
	return nil
}

// execute runs the handler. A write asks policy once more right before it, in
// case a narrower profile was loaded in the meantime.
func (k *call) execute(ctx context.Context) (answer, error) {
	var err error
	if k.nonce, err = k.catalog.newNonce(); err != nil {
		return answer{}, err
	}
	if k.plan == nil {
		k.ran = true
		return k.tool.run(ctx, k, k.in)
	}
	if k.dryRun {
		k.ran = true
		return k.preview()
	}
	if !k.ruled && k.needsResource() {
		return answer{}, &confluence.Error{Kind: confluence.Unavailable, Code: "policy.reloaded",
			Message: "The profile was changed while the call was judged, so nothing was changed.", Next: "Call again."}
	}
	if err := k.judgePlan(); err != nil {
		return answer{}, err
	}
	if err := k.approve(ctx); err != nil {
		return answer{}, err
	}
	if err := k.spend(ctx); err != nil {
		return answer{}, err
	}
	k.ran = true
	return k.commit(ctx)
}

// spend counts the write against the profile's own limits.
func (k *call) spend(ctx context.Context) error {
	if k.catalog.cfg.Budget == nil || k.plan.noop {
		return nil
	}
	if err := k.catalog.cfg.Budget.Spend(ctx, k.caller, k.request.Action, k.started); err != nil {
		return fmt.Errorf("spend: %w", err)
	}
	return nil
}

// judge asks policy, and counts the time it takes.
func (k *call) judge(r policy.Request) policy.Decision {
	began := k.catalog.cfg.Now()
	d := k.catalog.cfg.Policy.Decide(r)
	k.judged += k.catalog.cfg.Now().Sub(began)
	return d
}

// facts are what policy saw, as far as the record keeps it.
func (k *call) facts() audit.Facts {
	r, c := k.request.Resource, k.request.Change
	f := audit.Facts{
		SiteKind: k.request.Site.Kind, Known: r.Known, SpaceType: r.SpaceType, Status: r.Status, AuthorID: r.AuthorID, Version: r.Version,
		AttachmentBytes: r.AttachmentBytes, Restricted: r.Restricted, TargetSpaceKey: c.TargetSpaceKey, TargetParentID: c.TargetParentID,
		MediaType: c.MediaType, BodyBytes: c.BodyBytes, AddedBytes: c.AddedBytes, RemovedBytes: c.RemovedBytes, RemovedRatio: c.RemovedRatio,
		ReadRestricted: k.request.Context.ReadRestricted, ReadExternal: k.request.Context.ReadExternal,
	}
	if k.undoing != nil {
		f.Undoes = k.undoing.ID
	}
	if r.UpdatedAt.Unix() > 0 {
		f.Updated = r.UpdatedAt.UTC().Format(time.RFC3339)
	}
	return f
}

// refusal is the error of a decision, nil unless it denies.
func refusal(d policy.Decision) error {
	if d.Effect != policy.Deny {
		return nil
	}
	message := d.Message
	if message == "" {
		message = "The profile " + line(d.Profile) + " does not allow this (" + d.Reason + ")."
	}
	e := &confluence.Error{Kind: confluence.Denied, Message: message}
	if d.RuleID != "" {
		e.Message += " Rule: " + d.RuleID + "."
	}
	if d.Reason != "" {
		e.Code = "policy." + d.Reason
	}
	return e
}

func (k *call) limited() bool {
	_, bounded := k.bounds()
	return bounded
}

// bounds are the spaces the site is bounded to, where it is.
func (k *call) bounds() (keys []string, bounded bool) {
	if k.catalog.cfg.Spaces == nil {
		return nil, false
	}
	return k.catalog.cfg.Spaces(k.info.Name)
}

func (k *call) inSpaces(key string) bool {
	keys, _ := k.bounds()
	return slices.ContainsFunc(keys, func(s string) bool { return strings.EqualFold(s, key) })
}

// tell reports progress when somebody listens.
func (k *call) tell(done, total float64, message string) {
	if k.progress != nil {
		k.progress(done, total, message)
	}
}

func (c *Catalog) readRandom(b []byte) (int, error) { return io.ReadFull(c.cfg.Random, b) }

func runes(s string) int { return utf8.RuneCountInString(s) }
