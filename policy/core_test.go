package policy

// In-package: the exhaustive test builds 248,832 profiles from the core alone;
// as YAML that would take minutes.

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/identity"
)

var (
	allGroups  = []Group{Pages, Spaces, Search, Attachments, Users}
	allActions = []Action{Read, Create, Update, Delete}
)

// wantCell is policy.md 3.1 written a second time, as a lookup.
func wantCell(level, deleteOn, approval int, a Action) (Effect, string) {
	if level == 0 {
		return Deny, "group_disabled"
	}
	if a == Read {
		return Allow, "allowed"
	}
	if level == 1 {
		return Deny, "read_only"
	}
	if a == Delete && deleteOn == 0 {
		return Deny, "delete_not_allowed"
	}
	if approval == 1 {
		return RequireApproval, "approval_required"
	}
	return Allow, "allowed"
}

// setting is one of a group's 12: level 0-2, delete 0-1, approval 0-1.
func setting(n int) (level_, deleteOn, approval int) { return n % 3, n / 3 % 2, n / 6 }

func TestCoreTableExhaustively(t *testing.T) {
	started := time.Now()
	type cellWant struct {
		effect Effect
		reason string
	}
	var want [12][4]cellWant
	var grants [12]grant
	for n := range 12 {
		l, d, ap := setting(n)
		grants[n] = grant{level: level(l), allowDelete: d == 1, requireApproval: ap == 1}
		for i, a := range allActions {
			want[n][i].effect, want[n][i].reason = wantCell(l, d, ap, a)
		}
	}
	caller := identity.Caller{Kind: identity.User, AccountID: "u-ann", Profile: "p"}
	count, wrong := 0, 0
	p := &Profile{}
	for code := range 12 * 12 * 12 * 12 * 12 {
		digits := [5]int{code % 12, code / 12 % 12, code / 144 % 12, code / 1728 % 12, code / 20736}
		for g, n := range digits {
			p.grants[g] = grants[n]
		}
		for gi, g := range allGroups {
			for ai, a := range allActions {
				r := Request{Tool: "confluence_x", Group: g, Action: a, Caller: caller}
				if g == Spaces {
					r.Resource.Type = typeSpaceProperty
				}
				d := p.Decide(r)
				w := want[digits[gi]][ai]
				if d.Effect != w.effect || d.Reason != w.reason {
					wrong++
				}
				count++
			}
		}
	}
	t.Logf("%d profiles, %d decisions, %d wrong, %v", 12*12*12*12*12, count, wrong, time.Since(started))
	assert.Equal(t, 4_976_640, count)
	assert.Zero(t, wrong)
}

func TestG01SpaceDeleteInAllProfiles(t *testing.T) {
	caller := identity.Caller{Kind: identity.Service, Profile: "p"}
	requests := []Request{
		{Tool: "confluence_delete_space", Group: Spaces, Action: Delete},
		{Tool: "confluence_delete_space", Group: Pages, Action: Update},
		{Tool: "confluence_remove_spaces", Group: Spaces, Action: Read},
		{Tool: "confluence_removespace", Group: Pages, Action: Create},
		{Tool: "confluence_anything", Group: Spaces, Action: Delete, Resource: Resource{Type: "space", Known: true}},
		{Tool: "confluence_delete_page", Group: Pages, Action: Delete, Resource: Resource{Type: "space", Known: true}},
	}
	p := &Profile{}
	allowed := 0
	for code := range 12 * 12 * 12 * 12 * 12 {
		for g, n := range [5]int{code % 12, code / 12 % 12, code / 144 % 12, code / 1728 % 12, code / 20736} {
			l, d, ap := setting(n)
			p.grants[g] = grant{level: level(l), allowDelete: d == 1, requireApproval: ap == 1}
		}
		for i := range requests {
			requests[i].Caller = caller
			if d := p.Decide(requests[i]); d.Effect != Deny || d.Reason != "space_delete_blocked" {
				allowed++
			}
		}
	}
	assert.Zero(t, allowed, "in 248,832 profiles")
}

// TestG01PurgeAndPermissionWritesUnderFullAccess: the invariant alone, by the
// words of a tool's name, whatever the catalogue says it does.
func TestG01PurgeAndPermissionWritesUnderFullAccess(t *testing.T) {
	p := &Profile{}
	for g := range p.grants {
		p.grants[g] = grant{level: readWrite, allowDelete: true}
	}
	for _, tool := range []string{"confluence_purge_page", "confluence_purge_trash", "confluence_redact_page", "confluence_set_permissions", "confluence_add_permission",
		"confluence_set_restrictions", "confluence_remove_restriction", "confluence_assign_role", "confluence_update_roles", "confluence_invite_user", "confluence_set_classification"} {
		for _, g := range []Group{Pages, Spaces, Attachments} {
			for _, a := range []Action{Create, Update, Delete} {
				d := p.Decide(Request{Tool: tool, Group: g, Action: a, Caller: identity.Caller{Kind: identity.Service}})
				assert.Equal(t, Deny, d.Effect, "%s %s %s", tool, g, a)
				assert.Contains(t, []string{reasonBlocked, reasonSpaceDelete}, d.Reason, "%s %s %s", tool, g, a)
			}
		}
	}
}

func TestDecideAllocatesNothingWithoutMatchingRules(t *testing.T) {
	p := &Profile{}
	p.grants[0] = grant{level: readWrite}
	p.rules = []condition{{effect: Deny}}
	p.cells[1][1] = []*condition{&p.rules[0]}
	r := Request{
		Tool: "confluence_update_page", Group: Pages, Action: Update,
		Caller: identity.Caller{Kind: identity.User, AccountID: "u-ann", Groups: []string{"a", "b"}},
	}
	set := &Set{profiles: map[string]*Profile{"": p}}
	assert.Zero(t, testing.AllocsPerRun(1000, func() { set.Decide(r) }))
}

func TestPanicInARuleDenies(t *testing.T) {
	p := &Profile{}
	p.grants[0] = grant{level: readWrite}
	p.cells[0][2] = []*condition{nil}
	d := p.Decide(Request{Group: Pages, Action: Update, Caller: identity.Caller{Kind: identity.Service}})
	assert.Equal(t, Deny, d.Effect)
	assert.Equal(t, "internal", d.Reason)
}
