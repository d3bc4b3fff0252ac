package tools_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

const placing = `
version: 1
name: placing
groups:
  pages: {level: read_write}
rules:
  - {id: there, match: {actions: [create, update]}, effect: deny, when: '`

// What a write puts somewhere is judged where it goes too: by labels, ancestors,
// kind of space and restrictions of the page it will stand below or beside.
func TestRulesHoldWhereAWriteGoes(t *testing.T) {
	below := func(parent string) (string, args) {
		in := args{"space_key": "ENG", "title": "New", "body": "x", "parent_id": parent}
		if parent == "" {
			delete(in, "parent_id")
		}
		return "create_page", in
	}
	move := func(page, to, position string) (string, args) {
		return "move_page", args{"page_id": page, "target_id": to, "position": position}
	}
	type write struct {
		tool string
		in   args
	}
	one := func(tool string, in args) write { return write{tool, in} }
	for name, c := range map[string]struct {
		when            string
		denied, allowed []write
	}{
		"a label": {`"howto" in resource.labels`,
			[]write{one(below("11")), one(move("13", "11", "append")), one(move("13", "11", "after")), one(move("13", "14", "before"))}, []write{one(below("10")), one(move("13", "14", "append"))}},
		"a tree": {`"11" in resource.ancestor_ids`,
			[]write{one(below("11")), one(below("14")), one(move("13", "11", "append")), one(move("13", "14", "before"))}, []write{one(below("10")), one(move("13", "11", "after"))}},
		"outside a tree": {`resource.type == "page" && !("10" in resource.ancestor_ids)`,
			[]write{one(move("13", "12", "append"))}, []write{one(below("10")), one(move("13", "11", "append"))}},
		"a restricted page": {`resource.restricted`,
			[]write{one(below("14")), one(move("13", "14", "append"))}, []write{one(below("11")), one(move("13", "11", "append"))}},
		"a kind of space": {`resource.space_type == "personal"`,
			[]write{one(move("13", "12", "append"))}, []write{one(below("11")), one(move("13", "11", "append"))}},
		"its home": {`resource.id == "10"`,
			[]write{one(below("10")), one(below("")), one(move("13", "10", "append")), one(move("13", "11", "after")), {"create_page", args{"space_key": "ENG", "title": "New", "copy_from": "12"}}},
			[]write{one(below("11")), {"create_page", args{"space_key": "ENG", "title": "New", "body": "x", "type": "blogpost"}}}},
		"below its home": {`change.target_parent_id == "10"`,
			[]write{one(below("10")), one(below("")), one(move("13", "10", "append"))}, []write{one(below("11"))}},
	} {
		t.Run(name, func(t *testing.T) {
			site := func() *fake {
				f := newFake()
				f.put(page("13", "ENG", "10", "Loose", "<p>Loose.</p>"))
				f.put(page("14", "ENG", "11", "Deep", "<p>Deep.</p>"))
				f.readers["14"] = []string{"u-ann"}
				hr := f.spaces["HR"]
				hr.Type = "personal"
				f.spaces["HR"] = hr
				return f
			}
			profile := withProfile(t, placing+c.when+"'}\n")
			for _, w := range c.denied {
				f := site()
				e := newDesk(t, f, profile).as("placing").fails("policy.rule_denied", w.tool, w.in)
				assert.Contains(t, e.Message, "there", w)
				assert.Empty(t, f.writes(), w)
			}
			for _, w := range c.allowed {
				newDesk(t, site(), profile).as("placing").ok(w.tool, w.in)
			}
		})
	}
}

// Of a folder rules know where it is and not what it is called or who sees it:
// those that look at that deny, and others do not.
func TestAFolderIsAPlaceOfWhichLittleIsKnown(t *testing.T) {
	in := args{"space_key": "ENG", "title": "New", "body": "x", "parent_id": "77"} // no page, and has children to list
	for rule, code := range map[string]string{
		`"howto" in resource.labels`:                          "policy.resource_unknown",
		`resource.restricted`:                                 "policy.resource_unknown",
		`resource.title.startsWith("Archive")`:                "policy.resource_unknown",
		`resource.space_key == "ENG" || resource.title == ""`: "policy.rule_denied",
		`"77" in resource.ancestor_ids`:                       "policy.rule_denied",
		`"78" in resource.ancestor_ids`:                       "",
		`resource.space_key == "HR"`:                          "",
		`resource.space_type == "personal"`:                   "",
		`change.body_bytes > 100000`:                          "",
	} {
		f := newFake()
		d := newDesk(t, f, withProfile(t, placing+rule+"'}")).as("placing")
		if code == "" {
			d.ok("create_page", in)
			continue
		}
		d.fails(code, "create_page", in)
		assert.Empty(t, f.writes(), rule)
	}
}

// A copy without a place would be made beside its source, in another space.
func TestACopyHasAPlace(t *testing.T) {
	f := newFake()
	eng := f.spaces["ENG"]
	eng.HomepageID = ""
	f.spaces["ENG"] = eng
	d := newDesk(t, f)
	d.fails("input.parent", "create_page", args{"space_key": "ENG", "title": "New", "copy_from": "12"})
	assert.Empty(t, f.writes())
	d.ok("create_page", args{"space_key": "ENG", "title": "New", "copy_from": "12", "parent_id": "11"})
	d.ok("create_page", args{"space_key": "ENG", "title": "Other", "body": "x"})
}

// A page out of the trash goes back below its parent, which may be under rules
// by now.
func TestRulesHoldWhereAPageGoesBack(t *testing.T) {
	free := `
version: 1
name: placing
groups:
  pages: {level: read_write, allow_delete: true}
`
	now := &swappable{profile: parsed(t, free)}
	u := newUndoing(t, func(c *tools.Config) { c.Policy = now })
	u.desk = u.as("placing")
	id := u.changeID("delete_page", args{"page_id": u.page})
	now.profile = parsed(t, free+`rules:
  - {id: there, match: {actions: [update]}, effect: deny, when: '"1001" in resource.ancestor_ids'}
`)
	before := u.writes()
	u.fails("policy.rule_denied", "undo", args{"change_id": id})
	assert.Equal(t, before, u.writes())
	now.profile = parsed(t, free)
	u.ok("undo", args{"change_id": id})
}

// Nobody has read the place a write goes to.
func TestAPlaceIsNotRead(t *testing.T) {
	f := newFake()
	f.readers["11"] = []string{"u-ann"}
	d := newDesk(t, f, withProfile(t, placing+`context.read_restricted && resource.title != ""'}`)).as("placing")
	in := args{"space_key": "ENG", "title": "New", "body": "x", "parent_id": "11", "dry_run": true}
	d.ok("create_page", in)
	d.ok("create_page", in)
}

// An upload over a file is another action than the one it was loaded for, and
// rules look at the page all the same.
func TestAnActionThatBecameAnotherIsLookedAt(t *testing.T) {
	f := newFake()
	d := newDesk(t, f, withProfile(t, `
version: 1
name: placing
groups:
  attachments: {level: read_write}
rules:
  - {id: there, match: {groups: [attachments], actions: [update]}, effect: deny, when: '"howto" in resource.labels'}
`)).as("placing")
	d.fails("policy.rule_denied", "upload_attachment", args{"page_id": "11", "filename": "notes.txt", "content": "x"})
	assert.Empty(t, f.writes())
	d.ok("upload_attachment", args{"page_id": "11", "filename": "more.txt", "content": "x"})
	d.ok("upload_attachment", args{"page_id": "10", "filename": "notes.txt", "content": "x"})
}

// reloading has another profile in force once policy was asked twice.
type reloading struct {
	*swappable
	asked int
	then  *policy.Profile
}

func (r *reloading) Decide(q policy.Request) policy.Decision {
	d := r.swappable.Decide(q)
	if r.asked++; r.asked == 2 {
		r.profile = r.then
	}
	return d
}

// A profile that comes into force between the plan and the write, and looks at
// what was not loaded, is not answered with nothing.
func TestG07_ARuleThatLooksCloserComesInTheMiddle(t *testing.T) {
	plain := `
version: 1
name: placing
groups:
  pages: {level: read_write}
  attachments: {level: read_write}
`
	for tool, in := range map[string]args{
		"add_label":         {"page_id": "11", "name": "x"},
		"add_comment":       {"page_id": "11", "body": "x"},
		"upload_attachment": {"page_id": "11", "filename": "more.txt", "content": "x"},
	} {
		f := newFake()
		now := &reloading{swappable: &swappable{profile: parsed(t, plain)}, then: parsed(t, plain+"rules:\n  - {id: there, when: '\"howto\" in resource.labels', effect: deny}\n")}
		e := newDesk(t, f, func(c *tools.Config) { c.Policy = now }).as("placing").fails("policy.reloaded", tool, in)
		assert.Contains(t, e.Next, "again")
		assert.Empty(t, f.writes(), tool)
		assert.Equal(t, 2, now.asked)
	}
}
