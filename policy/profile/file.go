package profile

// Levels of a group.
const (
	Disabled  = "disabled"
	ReadOnly  = "read_only"
	ReadWrite = "read_write"
)

// Effects a rule can have. There is no effect that allows.
const (
	EffectDeny    = "deny"
	EffectApprove = "require_approval"
)

// File is one profile as written. A group that is absent is disabled.
type File struct {
	Version     int              `json:"version"`
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Groups      map[string]Grant `json:"groups"`
	Limits      Limits           `json:"limits"`
	Rules       []Rule           `json:"rules,omitempty"`
	Tests       []Test           `json:"tests,omitempty"`
}

// Grant is one group's level and two switches.
type Grant struct {
	Level           string `json:"level"`
	AllowDelete     bool   `json:"allow_delete,omitempty"`
	RequireApproval bool   `json:"require_approval,omitempty"`
}

// Limits bound what one principal does, dry runs excepted. Zero is none at
// all; nil is what [Limits.Effective] says.
type Limits struct {
	WritesPerMinute *int   `json:"writes_per_minute,omitempty"` // a sliding 60 s
	DeletesPerDay   *int   `json:"deletes_per_day,omitempty"`   // a sliding 24 h
	MaxBodyBytes    *int64 `json:"max_body_bytes,omitempty"`    // of one write
}

// Effective fills in what a profile does not say: 120 writes a minute, 100
// deletions a day, and no limit of its own to the size of one write.
func (l Limits) Effective() Limits {
	writes, deletes := 120, 100
	if l.WritesPerMinute == nil {
		l.WritesPerMinute = &writes
	}
	if l.DeletesPerDay == nil {
		l.DeletesPerDay = &deletes
	}
	return l
}

// Rule narrows what the levels allow. When is a CEL expression of type bool;
// empty is always true. Effect is deny or require_approval.
type Rule struct {
	ID      string `json:"id"`
	Match   Match  `json:"match"`
	When    string `json:"when,omitempty"`
	Effect  string `json:"effect"`
	Message string `json:"message,omitempty"`

	WhenAt Position `json:"-"` // where the expression stands in the file
}

// Match says which calls a rule is asked about; an empty list is all of them,
// except that a require_approval rule is never asked about reads.
type Match struct {
	Tools   []string `json:"tools,omitempty"` // full names, prefix confluence_ included
	Groups  []string `json:"groups,omitempty"`
	Actions []string `json:"actions,omitempty"`

	ToolsAt []Position `json:"-"` // where each tool is named
}

// Test is a call with the decision its author expects.
type Test struct {
	Name   string `json:"name"`
	Given  Given  `json:"given"`
	Expect Expect `json:"expect"`

	At Position `json:"-"`
}

// Expect is compared with the decision; empty Rule and Reason are not.
type Expect struct {
	Effect string `json:"effect"`
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Given is a call. Group and Action are worked out from the tool's name where
// they are empty. Resource nil is a resource that could not be loaded only
// when the rules need one; every omitted field has its empty value.
type Given struct {
	Tool     string    `json:"tool"`
	Group    string    `json:"group,omitempty"`
	Action   string    `json:"action,omitempty"`
	Live     *bool     `json:"live,omitempty"` // absent: true
	Now      string    `json:"now,omitempty"`  // RFC 3339
	Identity Identity  `json:"identity"`
	Site     Site      `json:"site"`
	Resource *Resource `json:"resource,omitempty"`
	Change   Change    `json:"change"`
	Context  Context   `json:"context"`
}

// Identity is who calls in a test. Kind is user unless given.
type Identity struct {
	ID         string            `json:"id,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	AccountID  string            `json:"account_id,omitempty"`
	Email      string            `json:"email,omitempty"`
	Groups     []string          `json:"groups,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Transport  string            `json:"transport,omitempty"`
}

// Site is the site in a test.
type Site struct {
	ID   string `json:"id,omitempty"`
	Kind string `json:"kind,omitempty"`
}

// Resource is what the call in a test acts on. Known is true unless given.
type Resource struct {
	Known           *bool    `json:"known,omitempty"`
	Type            string   `json:"type,omitempty"`
	ID              string   `json:"id,omitempty"`
	SpaceKey        string   `json:"space_key,omitempty"`
	SpaceType       string   `json:"space_type,omitempty"`
	Status          string   `json:"status,omitempty"`
	Title           string   `json:"title,omitempty"`
	AuthorID        string   `json:"author_id,omitempty"`
	Labels          []string `json:"labels,omitempty"`
	AncestorIDs     []string `json:"ancestor_ids,omitempty"`
	Version         int      `json:"version,omitempty"`
	AttachmentBytes int64    `json:"attachment_bytes,omitempty"`
	UpdatedAt       string   `json:"updated_at,omitempty"` // RFC 3339
	Restricted      bool     `json:"restricted,omitempty"`
}

// Change is what the write in a test would do.
type Change struct {
	TargetSpaceKey     string   `json:"target_space_key,omitempty"`
	TargetParentID     string   `json:"target_parent_id,omitempty"`
	Title              string   `json:"title,omitempty"`
	MediaType          string   `json:"media_type,omitempty"`
	BodyBytes          int64    `json:"body_bytes,omitempty"`
	AddedBytes         int64    `json:"added_bytes,omitempty"`
	RemovedBytes       int64    `json:"removed_bytes,omitempty"`
	RemovedRatio       float64  `json:"removed_ratio,omitempty"`
	MacrosAdded        []string `json:"macros_added,omitempty"`
	ExternalHostsAdded []string `json:"external_hosts_added,omitempty"`
}

// Context is what is known about the caller's past in a test.
type Context struct {
	ReadRestricted bool `json:"read_restricted,omitempty"`
	ReadExternal   bool `json:"read_external,omitempty"`
}
