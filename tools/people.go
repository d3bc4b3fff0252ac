package tools

import (
	"cmp"
	"context"
	"strings"
	"unicode"

	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/markup"
	"confluence-mcp/policy"
)

// meet looks up the names of people once per call, all of them in one request.
// Without the right to read people, or when Confluence gives no names, they
// stay ids.
func (k *call) meet(ctx context.Context, ids ...string) {
	if k.caller.Kind == identity.Nobody || !k.catalog.cfg.Policy.Visible(k.caller.Profile, policy.Users, policy.Read) {
		return
	}
	var asked []string
	for _, id := range ids {
		if _, met := k.people[id]; !met && isUser(id) {
			if k.people == nil {
				k.people = map[string]string{}
			}
			k.people[id] = ""
			asked = append(asked, id)
		}
	}
	if len(asked) == 0 {
		return
	}
	found, err := k.site.UsersByID(ctx, asked)
	if err != nil {
		k.catalog.cfg.Logger.DebugContext(ctx, "names not read", "tool", k.tool.Name, "err", err)
		return
	}
	for id, u := range found {
		k.people[id] = line(u.Name)
	}
}

// nameOf is the name of a person, empty when it is not known.
func (k *call) nameOf(id string) string { return k.people[id] }

// called is how an answer speaks of a person: by name and id, or by id alone.
func (k *call) called(id string) string {
	if name := k.nameOf(id); name != "" && name != id {
		return name + " (" + id + ")"
	}
	return cmp.Or(id, "nobody known")
}

// mentions are the ids of the people a stored body mentions, sorted.
func mentions(stored string) []string {
	return sortedKeys(document(stored).Inventory().Mentions)
}

// named is the view of [call.view] with the people that were looked up called
// by name. Handles, and what is written back, are the same in both.
func (k *call) named(spaceKey string) markup.View {
	v := k.view(spaceKey)
	v.UserName = k.mentioned
	return v
}

// meetNamed looks up the people of a page when an edit could name one: the
// text it looks for is the text that was shown.
func (k *call) meetNamed(ctx context.Context, stored string, edits []markup.Edit) {
	for _, e := range edits {
		if strings.Contains(e.Find+e.Heading+e.Section+e.Within+e.To+e.After+e.Before+e.Row+e.Column, "@") {
			k.meet(ctx, mentions(stored)...)
			return
		}
	}
}

// mentioned is a name as it stands in the Markdown of a page: only what no
// reader of Markdown takes for a mark.
func (k *call) mentioned(id string) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || strings.ContainsRune(" .,'-()", r) {
			return r
		}
		return ' '
	}, k.nameOf(id))
	return strings.Join(strings.Fields(plain), " ")
}
