package markup

import (
	"encoding/json"
	"slices"
	"strings"
)

// EditFields are the names of the fields that an operation takes beside op,
// nil for an operation there is not. Of handle and heading, after and before,
// and the like, one is enough; see [Edit].
func EditFields(op string) []string {
	switch op {
	case "replace_text":
		return []string{"find", "replace", "occurrence", "all", "within"}
	case "replace_section":
		return []string{"heading", "handle", "markdown"}
	case "append":
		return []string{"markdown", "to"}
	case "insert":
		return []string{"after", "before", "markdown"}
	case "delete":
		return []string{"handle", "section"}
	case "set_cell":
		return []string{"table", "row", "column", "markdown"}
	case "add_row":
		return []string{"table", "markdown", "after"}
	case "set_task":
		return []string{"handle", "done"}
	case "set_status":
		return []string{"handle", "title", "colour", "find"}
	case "set_property":
		return []string{"key", "markdown"}
	case "move":
		return []string{"handle", "after", "before"}
	}
	return nil
}

// stray refuses a field of another operation: whoever sent it meant something
// that would not happen.
func (x Edit) stray() error {
	takes := EditFields(x.Op)
	raw, err := json.Marshal(x)
	if err != nil || takes == nil {
		return err
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	var strays []string
	for name := range given {
		if name != "op" && !slices.Contains(takes, name) {
			strays = append(strays, name)
		}
	}
	if len(strays) == 0 {
		return nil
	}
	slices.Sort(strays)
	return fail("invalid", "It takes "+strings.Join(takes, ", ")+".", "%s takes no %s", x.Op, strings.Join(strays, " and no "))
}
