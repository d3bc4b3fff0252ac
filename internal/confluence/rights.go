package confluence

// Editions of a [Site].
const (
	Cloud      = "cloud"
	DataCenter = "dc"
)

// Site names one connected Confluence site for people and for policy.
type Site struct {
	Name    string // the integration's name
	ID      string // cloud id, or base URL on Data Center
	Kind    string // Cloud or DataCenter
	BaseURL string // what a person opens, with /wiki on Cloud
}

// Permission is one row of a space's permission list: who may do what. Read
// access to the space is Operation "read" on Target "space".
type Permission struct {
	ID            string
	PrincipalType string // user, group, role, access-class
	PrincipalID   string
	Operation     string
	Target        string
}

// Role modes of a site, as far as they are documented. A site without rights
// to read its mode answers none of them.
const (
	PreRoles        = "PRE_ROLES"
	RolesTransition = "ROLES_TRANSITION"
	Roles           = "ROLES"
)

// Role is a named set of space permissions such as "read/space".
type Role struct {
	ID          string
	Name        string
	Type        string // SYSTEM or CUSTOM
	Permissions []string
}

// RoleAssignment gives a role in one space to a principal. PrincipalType is
// USER, GROUP or ACCESS_CLASS.
type RoleAssignment struct {
	PrincipalType string
	PrincipalID   string
	RoleID        string
}

// Access classes of people who are known, which a [RoleAssignment] or
// [Permission] may name.
const (
	AuthenticatedUsers = "authenticated-users"
	AllLicensedUsers   = "all-licensed-users"
)
