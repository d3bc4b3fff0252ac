package oauth

import (
	"slices"
	"strings"
)

// Need is something a grant must be able to do: an action on a tool group, both
// as policy profiles spell them. Group "rights" with action "read" is what the
// sync of access rights reads.
type Need struct{ Group, Action string }

// RightsSync is the need of an integration that syncs access rights.
func RightsSync() Need { return Need{"rights", "read"} }

// scopesOf is what each need takes. Classic scopes open the first generation of
// the API only, granular ones the second only; both are used.
//
// No scope that deletes spaces or changes configuration, permissions or groups
// is in here. write:confluence-space would also open the deletion of spaces;
// the client's allowlist refuses that.
var scopesOf = []struct {
	need   Need
	scopes string
}{
	{Need{"search", "read"}, "search:confluence read:page:confluence read:space:confluence"},
	{Need{"pages", "read"}, "read:page:confluence read:space:confluence read:comment:confluence read:folder:confluence read:content.metadata:confluence " +
		"read:hierarchical-content:confluence read:confluence-content.all read:confluence-content.permission"},
	{Need{"pages", "create"}, "write:page:confluence write:comment:confluence write:confluence-content read:confluence-content.summary"},
	{Need{"pages", "update"}, "write:page:confluence write:comment:confluence write:confluence-content"},
	{Need{"pages", "delete"}, "delete:page:confluence delete:comment:confluence write:confluence-content"},
	{Need{"spaces", "read"}, "read:space:confluence"},
	{Need{"spaces", "create"}, "write:space:confluence write:confluence-space"},
	{Need{"spaces", "update"}, "write:confluence-space"},
	{Need{"attachments", "read"}, "read:attachment:confluence readonly:content.attachment:confluence"},
	{Need{"attachments", "create"}, "write:confluence-file"},
	{Need{"attachments", "update"}, "write:confluence-file"},
	{Need{"attachments", "delete"}, "delete:attachment:confluence"},
	{Need{"users", "read"}, "read:user:confluence read:confluence-user read:content-details:confluence"},
	{RightsSync(), "read:space.permission:confluence read:configuration:confluence read:confluence-groups read:confluence-content.all " +
		"read:confluence-content.permission read:user:confluence"},
}

// offlineAccess is the scope without which there is no refresh token.
const offlineAccess = "offline_access"

// alwaysAsked are offline_access and what tells whose account it is.
const alwaysAsked = offlineAccess + " read:confluence-user"

// Scopes is the least that the needs take, sorted. A need nobody knows takes
// nothing.
func Scopes(needs ...Need) []string {
	out := strings.Fields(alwaysAsked)
	for _, s := range scopesOf {
		if slices.Contains(needs, s.need) {
			out = append(out, strings.Fields(s.scopes)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Lack is a need that a grant cannot fill, and the scopes it is short of.
type Lack struct {
	Need
	Scopes []string
}

// Lacks tells which of the needs the granted scopes do not fill, in the order
// of the groups.
func Lacks(granted []string, needs ...Need) []Lack {
	var out []Lack
	for _, s := range scopesOf {
		if !slices.Contains(needs, s.need) {
			continue
		}
		missing := slices.DeleteFunc(strings.Fields(s.scopes), func(name string) bool { return slices.Contains(granted, name) })
		if len(missing) > 0 {
			out = append(out, Lack{Need: s.need, Scopes: missing})
		}
	}
	return out
}
