package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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

// alwaysJSON takes --json where JSON is all that is printed.
func alwaysJSON(c *cobra.Command) *cobra.Command {
	c.Flags().Bool("json", true, "print JSON, which is all there is")
	return c
}

// print prints a sentence, or a value as JSON.
func (p program) print(asJSON bool, v any, format string, args ...any) error {
	if asJSON {
		return json.NewEncoder(p.out).Encode(v)
	}
	_, err := fmt.Fprintf(p.out, format, args...)
	return err
}
