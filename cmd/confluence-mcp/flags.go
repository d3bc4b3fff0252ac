package main

import (
	"fmt"
	"strings"

	"confluence-mcp/internal/confluence"
)

// defaultProfile is what a local user gets who names none.
const defaultProfile = "read-only"

func unknownProfile(name string, known []string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.profile", Op: "choose profile",
		Message: fmt.Sprintf("there is no profile %q", name), Next: "Known are: " + strings.Join(known, ", ") + "."}
}

// cutIdentity takes INTEGRATION:USER apart; both must be there.
func cutIdentity(s string) (integration, user string, ok bool) {
	integration, user, ok = strings.Cut(s, ":")
	return integration, user, ok && integration != "" && user != ""
}
