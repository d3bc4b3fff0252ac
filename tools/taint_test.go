package tools_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy/taint"
	"confluence-mcp/tools"
)

// fullDisk keeps no mark.
type fullDisk struct{}

func (fullDisk) Keep(context.Context, []taint.Mark, time.Time) error {
	return errors.New("disk full: canary-path")
}

func (fullDisk) Since(context.Context, time.Time) ([]taint.Mark, error) { return nil, nil }

// A mark that would not outlive a restart lets nothing restricted out, whoever
// shows it, and the caller counts as marked; what is open is shown.
func TestNothingRestrictedIsShownThatCannotBeWrittenDown(t *testing.T) {
	const wary = `
version: 1
name: wary
groups:
  pages: {level: read_write}
  search: {level: read_only}
rules:
  - {id: no-leak, match: {groups: [pages], actions: [create]}, when: context.read_restricted, effect: deny}
  - {id: look, match: {actions: [read]}, when: resource.restricted && false, effect: deny}
`
	site := newFake()
	site.readers["12"] = []string{"u-ann"}
	site.hits = []confluence.Hit{{ID: "12", Type: "page", Title: "Rules", SpaceKey: "HR"}}
	book, err := taint.Open(t.Context(), fullDisk{}, 0, now)
	require.NoError(t, err)
	d := newDesk(t, site, withProfile(t, wary), func(c *tools.Config) { c.Taints = book }).as("wary")
	d.ok("create_page", args{"space_key": "ENG", "title": "Before"})
	for tool, in := range map[string]args{
		"get_page":         {"page_id": "12"},
		"get_page_history": {"page_id": "12"},
		"get_comments":     {"page_id": "12"},
		"list_pages":       {"space_key": "HR"},
		"search":           {"query": "page"},
		"update_page":      {"page_id": "12", "base_version": 3, "body": "x", "dry_run": true},
	} {
		e := d.fails("taint.unavailable", tool, in)
		assert.Contains(t, e.Next, "administrator")
		assert.NotContains(t, e.Message, "canary")
	}
	d.fails("policy.rule_denied", "create_page", args{"space_key": "ENG", "title": "After"})
}

// What shows a page without being called a read marks who sees it too: the diff
// of a dry run, and the copy of a page, which the very call that makes it is
// judged by.
func TestWhatShowsAPageLikeAReadMarksTheReader(t *testing.T) {
	const wary = `
version: 1
name: wary
groups:
  pages: {level: read_write, allow_delete: true}
  search: {level: read_only}
rules:
  - {id: no-leak, match: {groups: [pages], actions: [create]}, when: context.read_restricted, effect: deny}
`
	for name, show := range map[string]struct {
		tool string
		in   args
		code string // what the call itself ends with, nothing when it is shown
	}{
		"dry run of a change":           {"update_page", args{"page_id": "12", "base_version": 3, "body": "x", "dry_run": true}, ""},
		"dry run of a deletion":         {"delete_page", args{"page_id": "12", "dry_run": true}, ""},
		"dry run of a copy":             {"create_page", args{"space_key": "ENG", "title": "Copy", "copy_from": "12", "dry_run": true}, "policy.rule_denied"},
		"places an edit may have meant": {"update_page", args{"page_id": "12", "base_version": 3, "edits": []args{{"op": "replace_text", "find": "be unkind", "replace": "x"}}}, "input.not_found"},
		"whether a text is there":       {"add_comment", args{"page_id": "12", "body": "x", "inline_text": "unkind"}, "input.inline_text"},
		"copy":                          {"create_page", args{"space_key": "ENG", "title": "Copy", "copy_from": "12"}, "policy.rule_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newFake()
			site.readers["12"] = []string{"u-ann"}
			d := newDesk(t, site, withProfile(t, wary)).as("wary")
			d.ok("create_page", args{"space_key": "ENG", "title": "Before"})
			wrote := len(site.writes())
			if show.code == "" {
				d.ok(show.tool, show.in)
			} else {
				d.fails(show.code, show.tool, show.in)
			}
			d.fails("policy.rule_denied", "create_page", args{"space_key": "ENG", "title": "After"})
			assert.Len(t, site.writes(), wrote)
		})
	}
}

// A page that a rule keeps from being read is not shown by a write either: not
// in a diff, not in an error, not in a copy.
func TestWhatMayNotBeReadIsNotShownByAWrite(t *testing.T) {
	const blind = `
version: 1
name: blind
groups:
  pages: {level: read_write, allow_delete: true}
rules:
  - {id: not-hr, match: {actions: [read]}, when: 'resource.space_key == "HR"', effect: deny}
`
	site := newFake()
	d := newDesk(t, site, withProfile(t, blind)).as("blind")
	for tool, in := range map[string]args{
		"update_page": {"page_id": "12", "base_version": 3, "edits": []args{{"op": "replace_text", "find": "unkind", "replace": "x"}}},
		"delete_page": {"page_id": "12", "dry_run": true},
		"create_page": {"space_key": "ENG", "title": "Copy", "copy_from": "12"},
		"add_comment": {"page_id": "12", "body": "x", "inline_text": "kind"},
		"move_page":   {"page_id": "12", "target_id": "11", "dry_run": true},
	} {
		e := d.fails("policy.rule_denied", tool, in)
		assert.Contains(t, e.Message, "not-hr", tool)
		entry, _ := d.log.last(t)
		assert.Equal(t, "deny", entry.Effect, tool)
		assert.Empty(t, site.writes(), tool)
	}
	d.ok("add_comment", args{"page_id": "12", "body": "For your letter box."})
	d.ok("create_page", args{"space_key": "ENG", "title": "Copy", "copy_from": "11"})
}
