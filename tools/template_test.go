package tools_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/tools"
)

const perusing = `
version: 1
name: perusing
groups:
  pages: {level: read_write}
rules:
`

// A template's text lands in the new page, so taking it is reading it: under
// the rules on reading, in the space it belongs to.
func TestATemplateIsReadUnderTheRulesOnReading(t *testing.T) {
	allowlist := `  - {id: these, match: {actions: [read]}, when: '!(resource.space_key in ["ENG", ""])', effect: deny}`
	for name, c := range map[string]struct {
		rule    string
		allowed []string
		denied  []string
	}{
		"no rule":              {"", []string{"7", "8", "9"}, nil},
		"an allowlist":         {allowlist, []string{"7", "8"}, []string{"9"}},
		"an allowlist, narrow": {strings.ReplaceAll(allowlist, `, ""`, ""), []string{"8"}, []string{"7", "9"}},
		"a label":              {`  - {id: these, match: {tools: [confluence_get_page]}, when: '"howto" in resource.labels', effect: deny}`, []string{"7", "9"}, []string{"8"}},
		"a kind of space":      {`  - {id: these, match: {actions: [read]}, when: resource.space_type == "global", effect: deny}`, []string{"7"}, []string{"8", "9"}},
		"templates":            {`  - {id: these, match: {actions: [read]}, when: resource.type == "template", effect: deny}`, nil, []string{"7", "8", "9"}},
		"nothing is read":      {`  - {id: these, match: {groups: [pages], actions: [read]}, effect: deny}`, nil, []string{"7", "8", "9"}},
		"only writes are told": {`  - {id: these, match: {actions: [create]}, when: 'resource.space_key == "HR"', effect: deny}`, []string{"7", "8", "9"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			profile := perusing + c.rule
			if c.rule == "" {
				profile = strings.TrimSuffix(perusing, "rules:\n")
			}
			site := newFake()
			d := newDesk(t, site, withProfile(t, profile)).as("perusing")
			for _, id := range c.denied {
				for _, dry := range []bool{false, true} {
					site.calls = nil
					e := d.fails("policy.rule_denied", "create_page", args{"space_key": "ENG", "title": "New", "template_id": id, "dry_run": dry})
					assert.Contains(t, e.Message, "these")
					assert.NotContains(t, e.Message, "Fill me in")
					entry, _ := d.log.last(t)
					assert.Equal(t, "deny", entry.Effect)
					assert.Empty(t, site.writes())
				}
			}
			for _, id := range c.allowed {
				r, _ := d.ok("create_page", args{"space_key": "ENG", "title": "New", "template_id": id, "dry_run": true})
				assert.Contains(t, r.Text, "Fill me in")
				_, out := d.ok("create_page", args{"space_key": "ENG", "title": "From " + id, "template_id": id})
				assert.Equal(t, "<p>Fill me in.</p>", d.stored(out["id"].(string)).Body)
			}
		})
	}
}

// A server that is bounded to some spaces takes no templates from elsewhere.
func TestTemplatesKeepToTheSpacesOfTheServer(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, func(c *tools.Config) { c.Spaces = boundTo("ENG") })
	for _, id := range []string{"7", "9"} {
		d.fails("not_found", "create_page", args{"space_key": "ENG", "title": "New", "template_id": id})
		assert.Empty(t, site.writes())
	}
	d.ok("create_page", args{"space_key": "ENG", "title": "New", "template_id": "8"})
}

// Nobody is known to have written a template.
func TestATemplateIsFromOutside(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, withProfile(t, perusing+`  - {id: no-leak, match: {actions: [create]}, when: context.read_external, effect: deny}`)).as("perusing")
	d.ok("create_page", args{"space_key": "ENG", "title": "Before"})
	wrote := len(site.writes())
	for range 2 {
		d.fails("policy.rule_denied", "create_page", args{"space_key": "ENG", "title": "New", "template_id": "8"})
	}
	d.fails("policy.rule_denied", "create_page", args{"space_key": "ENG", "title": "After"})
	assert.Len(t, site.writes(), wrote)
}

func TestTemplatesOfTheEmulator(t *testing.T) {
	d, e := emulated(t, "u-ann", withProfile(t, perusing+`  - {id: sealed, match: {actions: [read]}, when: 'resource.space_key == "ENG"', effect: deny}`))
	d = d.as("perusing")
	e.Apply(`{"kind":"template","id":"801","space":"ENG","name":"Postmortem","storage":"<p>What happened?</p>"}`)
	e.Apply(`{"kind":"template","id":"802","name":"Minutes","storage":"<p>Who was there?</p>"}`)
	d.fails("policy.rule_denied", "create_page", args{"space_key": "ENG", "title": "Mine", "template_id": "801"})
	assert.Zero(t, writesTo(e))
	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Mine", "template_id": "802"})
	assert.NotEmpty(t, out["id"])
}
