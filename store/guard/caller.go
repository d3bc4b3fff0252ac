package guard

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/identity"
)

// standing is what a caller is in one integration.
type standing struct {
	site  Integration
	owner bool // the connecting account itself
	super bool // member of a super group that is honoured
	of    []Principal
	read  time.Time // when the memberships were read; zero: none were used
}

// standings expands a caller in every integration. An unknown caller stands
// nowhere.
func (d *directory) standings(c identity.Caller, now time.Time) []standing {
	if !c.Known() {
		return nil
	}
	ids := slices.Sorted(maps.Keys(d.sites))
	out := make([]standing, 0, len(ids))
	for _, id := range ids {
		out = append(out, d.standing(d.sites[id], c, now))
	}
	return out
}

func (d *directory) standing(site Integration, c identity.Caller, now time.Time) standing {
	s := standing{site: site}
	attributes := d.attributes(site, c.Access)
	if attributes.deactivated {
		return d.public(s)
	}
	who := ""
	if d.belongs(site, c) {
		who, s.owner = account(site, c)
	}
	p, known := d.person(site.ID, who)
	if known && !p.Active {
		s.owner = false
		return d.public(s)
	}
	s.of = attributes.of
	if !known || p.App && c.Kind != identity.Service || !fresh(site, p.CheckedAt, now) {
		return d.public(s)
	}
	s.read = p.CheckedAt
	groups := d.nested(site.ID, p.Groups)
	s.super = site.SuperGroup != "" && slices.Contains(groups, site.SuperGroup)
	s.of = append(s.of, Principal{site.ID, User, p.ID})
	for _, g := range groups {
		s.of = append(s.of, Principal{site.ID, Group, g})
	}
	for _, class := range classes(p) {
		s.of = append(s.of, Principal{site.ID, Class, class})
	}
	return s
}

// public adds what everybody may: what is open to anonymous on a site that is.
func (d *directory) public(s standing) standing {
	if s.site.Anonymous {
		s.of = append(s.of, Principal{s.site.ID, Class, Anonymous})
	}
	return s
}

// belongs reports whether the caller's user is one of this integration. A
// caller who names none belongs to the only one there is.
func (d *directory) belongs(site Integration, c identity.Caller) bool {
	switch c.Integration {
	case "":
		return len(d.sites) == 1
	case site.Name:
		return true
	}
	return false
}

// account gives the id of the caller's user, and whether that is the connecting
// account.
func account(site Integration, c identity.Caller) (id string, owner bool) {
	switch c.Kind {
	case identity.Service:
		return site.Account, true
	case identity.User:
		return c.AccountID, c.AccountID == site.Account
	}
	return "", false
}

func classes(p Person) []string {
	out := []string{Anonymous, Authenticated} // whatever anonymous may, each logged-in user may
	if !p.Guest {
		out = append(out, AllLicensed)
	}
	if p.Admin {
		out = append(out, AllSiteAdmins)
	}
	return out
}

// nested adds the groups that groups are members of.
func (d *directory) nested(integration int64, groups []string) []string {
	var out []string
	seen := map[string]bool{}
	open := slices.Clone(groups)
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		m, known := d.groups[key{integration, id}]
		if !known || seen[id] {
			continue
		}
		seen[id] = true
		out = append(out, id)
		open = append(open, m.Parents...)
	}
	return out
}

type attributeSet struct {
	of          []Principal
	deactivated bool // one of them names a deactivated user
}

// attributes gives what group-NAME and user-ID mean in one integration. Anything
// else means nothing.
func (d *directory) attributes(site Integration, access []string) attributeSet {
	var out attributeSet
	for _, a := range access {
		kind, name, ok := attribute(site, a)
		if !ok {
			continue
		}
		if kind == Group {
			for _, g := range d.nested(site.ID, d.names[key{site.ID, name}]) {
				out.of = append(out.of, Principal{site.ID, Group, g})
			}
			continue
		}
		if p, known := d.person(site.ID, name); known && !p.Active {
			out.deactivated = true
		}
		out.of = append(out.of, Principal{site.ID, User, name})
	}
	return out
}

func attribute(site Integration, a string) (kind Kind, name string, ok bool) {
	if !strings.HasPrefix(a, "group-") && !strings.HasPrefix(a, "user-") {
		where, rest, qualified := strings.Cut(a, ":")
		if !qualified || where != strconv.FormatInt(site.ID, 10) {
			return 0, "", false
		}
		a = rest
	}
	if name, ok = strings.CutPrefix(a, "group-"); ok {
		return Group, name, name != ""
	}
	name, ok = strings.CutPrefix(a, "user-")
	return User, name, ok && name != ""
}

// fresh reports whether something read at a time still counts.
func fresh(site Integration, read, now time.Time) bool {
	return !read.IsZero() && now.Before(read.Add(site.hardMaxAge()))
}

func (i Integration) hardMaxAge() time.Duration {
	if i.HardMaxAge > 0 {
		return i.HardMaxAge
	}
	return defaultHardAge * time.Hour
}

func (i Integration) maxAge() time.Duration {
	if i.MaxAge > 0 {
		return i.MaxAge
	}
	return defaultAge * time.Hour
}

// stale reports whether what was read at a time is so old that it is told. What
// was never read is not old.
func (i Integration) stale(read, now time.Time) bool {
	return !read.IsZero() && !now.Before(read.Add(i.maxAge()))
}
