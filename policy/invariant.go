package policy

import "strings"

// Resource types whose deletion inside the Spaces group is not the deletion of
// a space.
const (
	typeSpaceProperty = "space_property"
	typeSpaceLabel    = "space_label"
)

// blocked is the first step of every decision: what no profile can grant. It
// does not trust that the tool catalogue is right, because it is the layer
// that holds when the catalogue is wrong.
func blocked(r *Request) (string, bool) {
	part := r.Resource.Type == typeSpaceProperty || r.Resource.Type == typeSpaceLabel
	if r.Action == Delete && !part && (r.Group == Spaces || r.Resource.Type == "space") {
		return reasonSpaceDelete, true
	}
	return blockedName(r.Tool, r.Action != Read, part)
}

// blockedName judges a tool by the words of its name. Looking at permissions
// is a read like any other; removing things is refused whatever the catalogue
// calls it.
func blockedName(tool string, write, part bool) (string, bool) {
	removes, space, reason := false, false, ""
	for rest, more := tool, true; more; {
		var word string
		word, rest, more = strings.Cut(rest, "_")
		switch word {
		case "delete", "remove", "destroy", "erase", "drop":
			removes = true
		case "space", "spaces":
			space = true
		case "property", "label":
			part = true
		case "purge", "redact":
			reason = reasonBlocked
		case "permission", "permissions", "role", "roles",
			"restriction", "restrictions", "invite", "classification":
			if write {
				reason = reasonBlocked
			}
		case "removespace", "deletespace":
			return reasonSpaceDelete, true
		}
	}
	if removes && space && !part {
		return reasonSpaceDelete, true
	}
	return reason, reason != ""
}
