package tools_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// listening keeps what a live call asked policy.
type listening struct {
	*swappable
	asked []policy.Request
}

func (l *listening) Decide(r policy.Request) policy.Decision {
	l.asked = append(l.asked, r)
	return l.swappable.Decide(r)
}

type liveCall struct {
	tool                string
	in                  args
	own, target, source int
}

// below is the question about the page that a move beside another ends under.
func (c liveCall) below() int {
	if c.in["position"] == nil {
		return -1
	}
	return c.target + 1
}

// liveCalls are calls of every make; own, target and source say which of the
// questions to policy they are when nothing is refused.
var liveCalls = map[string]liveCall{
	"read":            {"get_page", args{"page_id": "11"}, 0, -1, -1},
	"change":          {"update_page", args{"page_id": "11", "base_version": 3, "body": "New."}, 2, -1, -1},
	"change, dry":     {"update_page", args{"page_id": "11", "base_version": 3, "body": "New.", "dry_run": true}, 2, -1, -1},
	"create":          {"create_page", args{"space_key": "ENG", "title": "New", "body": "x"}, 1, 2, -1},
	"blog post":       {"create_page", args{"space_key": "ENG", "title": "New", "body": "x", "type": "blogpost"}, 1, -1, -1},
	"template":        {"create_page", args{"space_key": "ENG", "title": "New", "template_id": "9"}, 2, 3, 1},
	"copy":            {"create_page", args{"space_key": "ENG", "title": "New", "copy_from": "12"}, 2, 3, 1},
	"create below":    {"create_page", args{"space_key": "ENG", "title": "New", "body": "x", "parent_id": "11"}, 1, 2, -1},
	"copy below":      {"create_page", args{"space_key": "ENG", "title": "New", "copy_from": "12", "parent_id": "11"}, 2, 3, 1},
	"move":            {"move_page", args{"page_id": "11", "target_id": "12"}, 1, 2, -1},
	"move beside":     {"move_page", args{"page_id": "11", "target_id": "12", "position": "after"}, 1, 2, -1},
	"move, dry":       {"move_page", args{"page_id": "11", "target_id": "12", "dry_run": true}, 2, 3, -1},
	"delete":          {"delete_page", args{"page_id": "11"}, 1, -1, -1},
	"delete, dry":     {"delete_page", args{"page_id": "11", "dry_run": true}, 2, -1, -1},
	"label":           {"add_label", args{"page_id": "11", "name": "x"}, 1, -1, -1},
	"comment":         {"add_comment", args{"page_id": "11", "body": "x"}, 1, -1, -1},
	"comment, inline": {"add_comment", args{"page_id": "11", "body": "x", "inline_text": "hello"}, 2, -1, -1},
	"comment, dry":    {"add_comment", args{"page_id": "11", "body": "x", "dry_run": true}, 2, -1, -1},
	"file over one":   {"upload_attachment", args{"page_id": "11", "filename": "notes.txt", "content": "x"}, 1, -1, -1},
	"file deleted":    {"delete_attachment", args{"attachment_id": "41"}, 1, -1, -1},
	"space":           {"update_space", args{"space_key": "ENG", "name": "Builders"}, 1, -1, -1},
	"new space":       {"create_space", args{"key": "NEW", "name": "New"}, 1, -1, -1},
}

const everything = `
version: 1
name: everything
groups:
  pages: {level: read_write, allow_delete: true}
  spaces: {level: read_write}
  search: {level: read_only}
  attachments: {level: read_write, allow_delete: true}
rules:
  - {id: nothing, when: 'resource.space_key == "none"', effect: deny}
`

func parsed(t *testing.T, text string) *policy.Profile {
	t.Helper()
	p, err := policy.Parse("everything.yaml", []byte(text))
	require.NoError(t, err)
	return p
}

// TestPartsAreWhatALiveCallAsks: explain judges by the very questions the gate
// asks, in its order, and comes to the same end under rules about any of them.
func TestPartsAreWhatALiveCallAsks(t *testing.T) {
	rules := map[string]string{
		"reading HR":   `  - {id: one, match: {actions: [read]}, when: 'resource.space_key == "HR"', effect: deny}`,
		"reading ENG":  `  - {id: one, match: {actions: [read]}, when: 'resource.space_key == "ENG"', effect: deny}`,
		"templates":    `  - {id: one, match: {tools: [get_page]}, when: resource.type == "template", effect: deny}`,
		"writing HR":   `  - {id: one, match: {actions: [create, update, delete]}, when: 'resource.space_key == "HR"', effect: deny}`,
		"asks for HR":  `  - {id: one, match: {actions: [update]}, when: 'resource.space_key == "HR"', effect: require_approval}`,
		"asks for all": `  - {id: one, match: {actions: [create, update]}, effect: require_approval}`,
		"to HR":        `  - {id: one, when: 'change.target_space_key == "HR"', effect: deny}`,
		"small ones":   `  - {id: one, match: {actions: [create, update, delete]}, when: change.body_bytes == 0, effect: deny}`,
		"replacing":    `  - {id: one, match: {groups: [attachments], actions: [update]}, effect: deny}`,
		"ratio":        `  - {id: one, match: {actions: [create, update]}, when: 100 / change.body_bytes > 1, effect: deny}`,
	}
	ended := map[string]int{}
	for name, c := range liveCalls {
		t.Run(name, func(t *testing.T) {
			open := &listening{swappable: &swappable{profile: parsed(t, everything)}}
			d := newDesk(t, newFake(), func(cfg *tools.Config) { cfg.Policy = open }).as("everything")
			d.ok(c.tool, c.in)
			at := func(i int) *policy.Resource {
				if i < 0 {
					return nil
				}
				return &open.asked[i].Resource
			}
			dry, _ := c.in["dry_run"].(bool)
			elsewhere := policy.Elsewhere{Target: at(c.target), Source: at(c.source), Below: at(c.below()), DryRun: dry, Finds: c.in["inline_text"] != nil}
			require.Greater(t, len(open.asked), c.own)
			own := open.asked[c.own]
			var want []policy.Request
			for _, part := range policy.Parts(own, elsewhere) {
				if part.When == "" {
					want = append(want, part.Request)
				}
			}
			for i := range open.asked { // what this very call reads marks it; one context is asked about
				open.asked[i].Context = own.Context
			}
			assert.Equal(t, want, open.asked[:min(len(want), len(open.asked))])

			for about, rule := range rules {
				p := parsed(t, everything+rule)
				live := newDesk(t, newFake(), func(cfg *tools.Config) { cfg.Policy = &swappable{profile: p} }).as("everything")
				live.call(c.tool, c.in)
				entry, _ := live.log.last(t)
				got, _ := p.ExplainCall(own, elsewhere)
				assert.Equal(t, entry.Effect+" "+entry.Reason, got.Effect.String()+" "+got.Reason, about)
				ended[entry.Effect]++
			}
		})
	}
	for _, effect := range []string{"allow", "deny", "require_approval"} {
		assert.Positive(t, ended[effect], effect)
	}
	t.Log(ended)
}
