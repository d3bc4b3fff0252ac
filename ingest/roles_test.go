package ingest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// granting is a source with one empty space, whose rights a test makes up.
type granting struct {
	still
	rows     []confluence.Permission
	roles    []confluence.Role
	holders  []confluence.RoleAssignment
	rolesErr error
	rowsErr  error
}

func one[T any](items ...T) (confluence.List[T], error) {
	return confluence.List[T]{Items: items, Total: -1}, nil
}

func (g *granting) OpenToAnonymous(context.Context) (bool, error) { return true, nil }
func (g *granting) Spaces(context.Context, confluence.SpaceFilter, confluence.Paging) (confluence.List[confluence.Space], error) {
	return one(confluence.Space{ID: "100", Key: "ENG", Type: "global", Status: "current"})
}
func (g *granting) Pages(context.Context, confluence.PageFilter, confluence.Paging) (confluence.List[confluence.Page], error) {
	return one[confluence.Page]()
}
func (g *granting) Extras(context.Context, string, string, confluence.Paging) (confluence.List[confluence.Extras], error) {
	return one[confluence.Extras]()
}
func (g *granting) SpacePermissions(context.Context, string, confluence.Paging) (confluence.List[confluence.Permission], error) {
	return confluence.List[confluence.Permission]{Items: g.rows}, g.rowsErr
}
func (g *granting) SpaceRoles(context.Context, string, confluence.Paging) (confluence.List[confluence.Role], error) {
	return confluence.List[confluence.Role]{Items: g.roles}, g.rolesErr
}
func (g *granting) SpaceRoleAssignments(context.Context, string, confluence.Paging) (confluence.List[confluence.RoleAssignment], error) {
	return confluence.List[confluence.RoleAssignment]{Items: g.holders}, nil
}
func (g *granting) Groups(context.Context, confluence.Paging) (confluence.List[confluence.Group], error) {
	return one(confluence.Group{ID: "g-a", Name: "A"}, confluence.Group{ID: "g-b", Name: "B"})
}
func (g *granting) GroupMembers(_ context.Context, id string, _ confluence.Paging) (confluence.List[confluence.User], error) {
	return one(confluence.User{ID: map[string]string{"g-a": "ann", "g-b": "bob"}[id]})
}
func (g *granting) UsersByID(_ context.Context, ids []string) (map[string]confluence.User, error) {
	out := map[string]confluence.User{}
	for _, id := range ids {
		out[id] = confluence.User{ID: id, Active: true, Guest: id == "gus", Type: "atlassian"}
	}
	return out, nil
}

// Case 36 and its neighbours: only what lets read is a grant.
func TestWhatIsAGrant(t *testing.T) {
	row := func(kind, id, op, target string) confluence.Permission {
		return confluence.Permission{PrincipalType: kind, PrincipalID: id, Operation: op, Target: target}
	}
	holder := func(kind, id, role string) confluence.RoleAssignment {
		return confluence.RoleAssignment{PrincipalType: kind, PrincipalID: id, RoleID: role}
	}
	reader := confluence.Role{ID: "r", Permissions: []string{"create/page", "read/space"}}
	writer := confluence.Role{ID: "w", Permissions: []string{"create/page", "read/page"}}
	byRole := []confluence.Permission{row("role", "r", "read", "space")}
	denied := &confluence.Error{Kind: confluence.Denied}
	for name, c := range map[string]struct {
		source *granting
		want   []string
	}{
		"nobody":                       {&granting{}, nil},
		"a user":                       {&granting{rows: []confluence.Permission{row("user", "bob", "read", "space")}}, []string{"bob"}},
		"a group":                      {&granting{rows: []confluence.Permission{row("group", "g-a", "read", "space")}}, []string{"ann"}},
		"writing alone":                {&granting{rows: []confluence.Permission{row("user", "bob", "create", "page"), row("user", "ann", "read", "page")}}, nil},
		"everybody":                    {&granting{rows: []confluence.Permission{row("access-class", "anonymous-users", "read", "space")}}, []string{"ann", "bob", "public"}},
		"all with a licence":           {&granting{rows: []confluence.Permission{row("access-class", "all-licensed-users", "read", "space")}}, []string{"ann", "bob"}},
		"a class nobody knows":         {&granting{rows: []confluence.Permission{row("access-class", "jsm-project-admins", "read", "space")}}, nil},
		"a kind nobody knows":          {&granting{rows: []confluence.Permission{row("team", "g-a", "read", "space")}}, nil},
		"a role that reads":            {&granting{rows: byRole, roles: []confluence.Role{reader, writer}, holders: []confluence.RoleAssignment{holder("GROUP", "g-a", "r"), holder("USER", "bob", "w")}}, []string{"ann"}},
		"36: a role that does not":     {&granting{rows: byRole, roles: []confluence.Role{writer}, holders: []confluence.RoleAssignment{holder("GROUP", "g-a", "w")}}, nil},
		"a role nobody lists":          {&granting{rows: byRole, holders: []confluence.RoleAssignment{holder("GROUP", "g-a", "r")}}, nil},
		"35: a class by a role":        {&granting{rows: byRole, roles: []confluence.Role{reader}, holders: []confluence.RoleAssignment{holder("ACCESS_CLASS", "all-licensed-users", "r")}}, []string{"ann", "bob"}},
		"roles that cannot be read":    {&granting{rows: append(byRole, row("user", "bob", "read", "space")), rolesErr: denied}, []string{"bob"}},
		"a list that cannot be read":   {&granting{rowsErr: denied}, nil},
		"roles alone, cannot be read":  {&granting{rows: byRole, rolesErr: denied}, nil},
		"nobody by a role, all closed": {&granting{rows: byRole, roles: []confluence.Role{reader}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mirror.Open(t.Context(), mirror.Config{Dir: t.TempDir(), Now: time.Now})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			s, err := ingest.New(ingest.Config{Integration: guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced}, Source: c.source, Mirror: connections.Filling{Writer: m.Writer()}})
			require.NoError(t, err)
			_, err = s.Now(t.Context(), true, nil)
			require.NoError(t, err)
			var got []string
			for name, caller := range map[string]identity.Caller{"ann": who("ann"), "bob": who("bob"), "public": public()} {
				spaces, err := m.Spaces(t.Context(), caller, 1, "")
				require.NoError(t, err)
				if len(spaces) > 0 {
					got = append(got, name)
				}
			}
			assert.ElementsMatch(t, c.want, got)
		})
	}
}
