package policy

import (
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy/rule"
)

// Group is one of the five areas a profile grants. There is no zero group.
type Group string

// The groups.
const (
	Pages       Group = "pages"
	Spaces      Group = "spaces"
	Search      Group = "search"
	Attachments Group = "attachments"
	Users       Group = "users"
)

// Action is what a call does to its group. There is no zero action.
type Action string

// The actions.
const (
	Read   Action = "read"
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Request is one call as policy sees it. Every field is always bound in rules;
// what is not known has its empty value, and Resource.Known says whether the
// resource could be loaded.
type Request struct {
	Tool     string // full tool name, for example confluence_update_page
	Group    Group
	Action   Action
	Live     bool // the call goes to Confluence, not only to the mirror
	Caller   identity.Caller
	Site     Site
	Resource Resource
	Change   Change
	Context  Context
	Now      time.Time
}

// Site is the Confluence site the call goes to. Kind is cloud or dc.
type Site struct {
	ID   string
	Kind string
}

// Resource is what the call acts on. Labels are capped at 200, AncestorIDs at
// 100. UpdatedAt is the epoch when unknown.
type Resource struct {
	Known           bool
	Type            string
	ID              string
	SpaceKey        string
	SpaceType       string
	Status          string
	Title           string
	AuthorID        string
	Labels          []string
	AncestorIDs     []string
	Version         int
	AttachmentBytes int64
	UpdatedAt       time.Time
	Restricted      bool

	Opaque []string // variables of it that are not known though the rest is
}

// Only is r with nothing known but these variables, named without "resource.".
func (r Resource) Only(known ...string) Resource {
	for _, v := range rule.Variables() {
		name, of := strings.CutPrefix(v.Name, "resource.")
		if of && name != "known" && !slices.Contains(known, name) {
			r.Opaque = append(r.Opaque, v.Name)
		}
	}
	return r
}

// whole reports whether all variables of it are known.
func (r *Resource) whole() bool { return r.Known && len(r.Opaque) == 0 }

// Change is what a write would do. RemovedRatio is removed bytes over bytes
// before, 0 to 1.
type Change struct {
	TargetSpaceKey     string
	TargetParentID     string
	Title              string
	MediaType          string
	BodyBytes          int64
	AddedBytes         int64
	RemovedBytes       int64
	RemovedRatio       float64
	MacrosAdded        []string
	ExternalHostsAdded []string
}

// Context is what is known about the caller's recent past.
type Context struct {
	ReadRestricted bool // read restricted content within the taint window, or content from outside
	ReadExternal   bool // read content last written by somebody outside within it
}

// Effect is what a decision amounts to; smaller is stricter. Deny is the zero
// value: a decision nobody made denies.
type Effect int

// The effects.
const (
	Deny Effect = iota
	RequireApproval
	Allow
)

// String is the effect's name in profiles, logs and answers.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case RequireApproval:
		return "require_approval"
	default:
		return "deny"
	}
}

// Decision is the answer to a [Request]. Reason is a stable word
// (group_disabled, read_only, delete_not_allowed, approval_required,
// rule_denied, rule_error, rule_cost, resource_unknown, blocked_operation,
// space_delete_blocked, unknown_profile, limit, internal, allowed). Message is
// the rule author's sentence, when a rule decided.
type Decision struct {
	Effect   Effect
	Reason   string
	RuleID   string
	Message  string
	Matched  []string // ids of rules that matched
	Errored  []string // ids of rules that failed; each denies
	Profile  string
	Revision string // first 12 hex digits of the profile's digest
	Cost     uint64 // worst case, in CEL's units, of the conditions that were evaluated
}
