package site

import (
	"maps"
	"slices"
)

// renameGroup follows a new name of a group everywhere the old one is written:
// a group is its id, its name is only how site files speak of it.
func (s *Site) renameGroup(from, to string) {
	delete(s.groupNames, from)
	for _, u := range maps.Clone(s.users) {
		changed := *u
		changed.Groups = renamed(u.Groups, from, to)
		s.setUser(&changed)
	}
	for id, g := range s.groups {
		if g.Parent == from {
			changed := *g
			changed.Parent = to
			s.groups[id] = &changed
		}
	}
	for id, sp := range s.spaces {
		changed := *sp
		changed.grants = slices.Clone(sp.grants)
		for i, g := range changed.grants {
			if g.To == "group:"+from {
				changed.grants[i].To = "group:" + to
			}
		}
		s.spaces[id] = &changed
	}
	for _, c := range s.contents {
		if slices.Contains(c.Read.Groups, from) || slices.Contains(c.Update.Groups, from) {
			changed := *c
			changed.Read.Groups = renamed(c.Read.Groups, from, to)
			changed.Update.Groups = renamed(c.Update.Groups, from, to)
			s.put(&changed)
		}
	}
}

// dropGroup removes a group and everybody's membership. Restrictions and
// grants that name it stay and match nobody.
func (s *Site) dropGroup(g *Group) {
	delete(s.groups, g.ID)
	delete(s.groupNames, g.Name)
	for _, u := range maps.Clone(s.users) {
		changed := *u
		changed.Groups = slices.DeleteFunc(slices.Clone(u.Groups), func(name string) bool { return name == g.Name })
		s.setUser(&changed)
	}
}

// dropSpace removes a space with everything in it, for good.
func (s *Site) dropSpace(sp *Space) {
	for _, c := range s.contents {
		if c.Space == sp.Key {
			s.unindex(c)
			delete(s.contents, c.ID)
			delete(s.kids, c.ID)
			delete(s.kids, c.Parent)
			delete(s.shadows, c.ID)
		}
	}
	delete(s.homes, sp.Key)
	delete(s.titles, sp.Key)
	delete(s.spaces, sp.ID)
	delete(s.spaceKeys, lower(sp.Key))
	s.orders.forget()
}

func renamed(names []string, from, to string) []string {
	out := slices.Clone(names)
	for i, name := range out {
		if name == from {
			out[i] = to
		}
	}
	return out
}
