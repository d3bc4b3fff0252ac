package policy

import "confluence-mcp/policy/profile"

// Reasons of a [Decision].
const (
	reasonAllowed         = "allowed"
	reasonGroupDisabled   = "group_disabled"
	reasonReadOnly        = "read_only"
	reasonDelete          = "delete_not_allowed"
	reasonApproval        = "approval_required"
	reasonRuleDenied      = "rule_denied"
	reasonRuleError       = "rule_error"
	reasonRuleCost        = "rule_cost"
	reasonResourceUnknown = "resource_unknown"
	reasonBlocked         = "blocked_operation"
	reasonSpaceDelete     = "space_delete_blocked"
	reasonUnknownProfile  = "unknown_profile"
	reasonUnknownCaller   = "unknown_caller"
	reasonLimit           = "limit"
	reasonInternal        = "internal"
)

const (
	groupCount  = 5
	actionCount = 4
)

// level is how far a group is open. The zero value is closed.
type level uint8

const (
	disabled level = iota
	readOnly
	readWrite
)

// grant is one group's setting. The zero value gives nothing.
type grant struct {
	level           level
	allowDelete     bool
	requireApproval bool
}

func newGrant(g profile.Grant) grant {
	out := grant{allowDelete: g.AllowDelete, requireApproval: g.RequireApproval}
	switch g.Level {
	case profile.ReadOnly:
		out.level = readOnly
	case profile.ReadWrite:
		out.level = readWrite
	}
	return out
}

// decide is one cell of the core table: what the level and the two switches
// give, before any rule. An action it does not know is refused.
func (g grant) decide(a Action) (Effect, string) {
	switch {
	case g.level == disabled:
		return Deny, reasonGroupDisabled
	case a == Read:
		return Allow, reasonAllowed
	case a != Create && a != Update && a != Delete:
		return Deny, reasonBlocked
	case g.level == readOnly:
		return Deny, reasonReadOnly
	case a == Delete && !g.allowDelete:
		return Deny, reasonDelete
	case g.requireApproval:
		return RequireApproval, reasonApproval
	default:
		return Allow, reasonAllowed
	}
}

// writable reports whether a group has operations that change anything. Search
// and Users have none, so read_write means read_only there.
func writable(g Group) bool {
	return g == Pages || g == Spaces || g == Attachments
}

func groupIndex(g Group) int {
	switch g {
	case Pages:
		return 0
	case Spaces:
		return 1
	case Search:
		return 2
	case Attachments:
		return 3
	case Users:
		return 4
	default:
		return -1
	}
}

func actionIndex(a Action) int {
	switch a {
	case Read:
		return 0
	case Create:
		return 1
	case Update:
		return 2
	case Delete:
		return 3
	default:
		return -1
	}
}
