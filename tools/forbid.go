package tools

import (
	"context"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// forbid holds the hard blocks: what no profile can allow, judged in Go before
// any rule is asked. There is no tool that deletes a space, purges, or touches
// permissions; this refuses calls that would come close.
func (k *call) forbid(context.Context) error {
	p, s := k.on.page, k.on.space
	if k.tool.Group == policy.Spaces && k.tool.Action == policy.Delete {
		return blockedBy("space_delete_blocked", "Deleting a space is not possible through this server.")
	}
	if k.tool.ReadOnly || p == nil {
		return nil
	}
	if s == nil {
		return blockedBy("resource_unknown", "The space of the page could not be found, so nothing was changed.")
	}
	if k.deletesPage() && s.HomepageID == p.ID {
		return blockedBy("space_delete_blocked", "This is the home page of space "+s.Key+"; deleting it would take the space's root away.")
	}
	if k.tool.restores && p.Status == confluence.StatusTrashed {
		return nil // the very purpose
	}
	if p.Status != "" && p.Status != confluence.StatusCurrent {
		return k.forbidStatus(p.Status)
	}
	return nil
}

// deletesPage reports whether the call deletes the page it is on, and not
// something on that page.
func (k *call) deletesPage() bool {
	return k.tool.Name == Prefix+"delete_page" && k.tool.Action == policy.Delete &&
		k.request.Resource.ID == k.on.page.ID && k.on.attachment == nil && k.on.comment == nil
}

// forbidStatus refuses writes on what is not current. Confluence would take a
// write on a trashed page as its restoration, and a second deletion as a purge.
func (k *call) forbidStatus(status string) error {
	return blockedBy("blocked_operation", "The page is "+line(status)+", and this server changes current pages only.")
}

func blockedBy(reason, message string) error {
	return &confluence.Error{Kind: confluence.Denied, Code: "policy." + reason, Message: message,
		Next: "No setting allows this. Ask a space administrator to do it in Confluence, if it is really wanted."}
}
