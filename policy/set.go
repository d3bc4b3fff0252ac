package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
)

// Set is every profile a server knows, by name. It does not change after it
// was loaded and may be used by many goroutines.
type Set struct {
	profiles map[string]*Profile
}

// Names lists the profiles in order of name.
func (s *Set) Names() []string {
	return slices.Sorted(maps.Keys(s.profiles))
}

// Revision is the first 12 hex digits of a digest over all profiles.
func (s *Set) Revision() string {
	h := sha256.New()
	for _, name := range s.Names() {
		h.Write([]byte(name + " " + s.profiles[name].revision + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Profile finds a profile by its exact name.
func (s *Set) Profile(name string) (*Profile, bool) {
	p, ok := s.profiles[name]
	return p, ok
}

// Decide judges one call by the profile its caller names. A caller whose
// profile does not exist is denied with reason unknown_profile.
func (s *Set) Decide(r Request) Decision {
	p, ok := s.profiles[r.Caller.Profile]
	if !ok {
		return Decision{Reason: reasonUnknownProfile, Profile: r.Caller.Profile}
	}
	return p.Decide(r)
}

// Strictest judges a call that has more than one target, such as a move, and
// answers with the strictest decision; the first of equals wins. No request at
// all is denied.
func (s *Set) Strictest(requests ...Request) Decision {
	var worst Decision
	for i, r := range requests {
		if d := s.Decide(r); i == 0 || d.Effect < worst.Effect {
			worst = d
		}
	}
	return worst
}

// Visible reports whether any call of a cell could be allowed, if only after
// approval: a tool of a cell that is not visible is not listed.
func (s *Set) Visible(profile string, g Group, a Action) bool {
	p, ok := s.profiles[profile]
	return ok && p.Visible(g, a)
}

// NeedsResource reports whether a rule that can apply to the call reads
// resource.*, so that the resource has to be loaded before the decision. A
// call judged without it is denied with reason resource_unknown.
func (s *Set) NeedsResource(profile, tool string, g Group, a Action) bool {
	p, ok := s.profiles[profile]
	return ok && p.NeedsResource(tool, g, a)
}
