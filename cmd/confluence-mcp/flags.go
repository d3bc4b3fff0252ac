package main

import (
	"fmt"
	"strconv"
	"strings"

	"confluence-mcp/internal/confluence"
)

// defaultProfile is what a local user gets who names none.
const defaultProfile = "read-only"

// splitAs takes [INTEGRATION:]USER apart. An account id may hold colons
// itself (557058:uuid), so only the name or id of a connected integration
// counts as one.
func (s *sites) splitAs(as string) (integration, user string) {
	before, after, ok := strings.Cut(as, ":")
	if !ok {
		return "", as
	}
	for _, i := range s.all {
		if before == i.settings.Name || before == strconv.FormatInt(i.id, 10) {
			return i.settings.Name, after
		}
	}
	return "", as
}

func unknownProfile(name string, known []string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.profile", Op: "choose profile",
		Message: fmt.Sprintf("there is no profile %q", name), Next: "Known are: " + strings.Join(known, ", ") + "."}
}

// cutIdentity takes INTEGRATION:USER apart; both must be there.
func cutIdentity(s string) (integration, user string, ok bool) {
	integration, user, ok = strings.Cut(s, ":")
	return integration, user, ok && integration != "" && user != ""
}
