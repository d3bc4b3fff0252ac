package tools_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

func asked(site *fake, method string) int {
	n := 0
	for _, c := range site.calls {
		if c == method {
			n++
		}
	}
	return n
}

// peopled is a fake whose page 11 mentions people and was written by others.
func peopled() *fake {
	site := newFake()
	site.people = map[string]string{"u-ann": "Ann Arbor", "u-bob": "Bob *B* Bright\n(Ops)"}
	p := site.pages["11"]
	p.Body = `<p>Ask <ac:link><ri:user ri:account-id="u-bob" /></ac:link> or <ac:link><ri:user ri:account-id="u-zed" /></ac:link> first.</p><h2>End</h2><p>Done.</p>`
	site.put(p)
	site.comments["32"] = confluence.Comment{ID: "32", Kind: "footer", PageID: "11", ParentID: "31", Body: `<p>Thank <ac:link><ri:user ri:account-id="u-ann" /></ac:link></p>`,
		Version: confluence.Version{Number: 1, AuthorID: "u-zed", CreatedAt: now}}
	return site
}

func TestPeopleAreCalledByName(t *testing.T) {
	site := peopled()
	d := newDesk(t, site)

	r, out := d.ok("get_page", args{"page_id": "11"})
	assert.Contains(t, r.Text, "[@Bob B Bright (Ops)](confluence:user/u-bob)", "without marks that Markdown takes for its own")
	assert.Contains(t, r.Text, "[@](confluence:user/u-zed)", "nobody knows a name")
	assert.Contains(t, r.Text, "by Ann Arbor")
	assert.Equal(t, "Ann Arbor", out["author"])
	assert.Equal(t, 1, asked(site, "UsersByID"), "one request for all of them")

	site.calls = nil
	r, out = d.ok("get_comments", args{"page_id": "11"})
	assert.Contains(t, r.Text, "comment 31 by Bob *B* Bright (Ops) (u-bob)")
	assert.Contains(t, r.Text, "reply 32 by u-zed")
	assert.Contains(t, r.Text, "Thank [@Ann Arbor](confluence:user/u-ann)")
	first := out["comments"].([]any)[0].(map[string]any)
	assert.Equal(t, "u-bob", first["author_id"])
	assert.Equal(t, "Bob *B* Bright (Ops)", first["author"])
	assert.NotContains(t, first["replies"].([]any)[0], "author")
	assert.Equal(t, 1, asked(site, "UsersByID"), "one request a page of results")

	site.calls = nil
	r, _ = d.ok("get_page_history", args{"page_id": "11"})
	assert.Contains(t, r.Text, "by Ann Arbor (u-ann)")
	assert.Equal(t, 1, asked(site, "UsersByID"))
}

// What was read with names is edited and written back with them.
func TestNamedPeopleAreWrittenBack(t *testing.T) {
	site := peopled()
	d := newDesk(t, site)
	before := site.pages["11"].Body
	_, out := d.ok("update_page", args{"page_id": "11", "base_version": 3, "edits": []args{{"op": "replace_text", "find": "Ask @Bob B Bright (Ops) or", "replace": "Call @Bob B Bright (Ops) or"}}})
	assert.Equal(t, float64(4), out["version"])
	assert.Equal(t, strings.Replace(before, "Ask", "Call", 1), site.pages["11"].Body)

	before = site.pages["11"].Body
	_, out = d.ok("get_page", args{"page_id": "11"})
	md := strings.Join(strings.Split(out["content"].(string), "\n")[1:], "\n")
	md, _, _ = strings.Cut(md, "\n>>>")
	require.Contains(t, md, "@Bob B Bright (Ops)")
	d.ok("update_page", args{"page_id": "11", "base_version": 4, "body": strings.Replace(md, "first", "last", 1)})
	assert.Equal(t, strings.Replace(before, "first", "last", 1), site.pages["11"].Body)

	r, _ := d.ok("get_page", args{"page_id": "11", "mode": "blocks"})
	handle := r.Text[strings.Index(r.Text, `{"handle":"`)+len(`{"handle":"`):][:9]
	d.ok("update_page", args{"page_id": "11", "base_version": 5, "edits": []args{{"op": "insert", "after": handle, "markdown": "New."}}})
	assert.Contains(t, site.pages["11"].Body, "last.</p><p>New.</p>")
}

func TestPeopleStayIdsWhere(t *testing.T) {
	noPeople := "version: 1\nname: no-people\ngroups:\n  pages: {level: read_only}\n"
	for name, c := range map[string]func(*desk, *fake){
		"the profile does not read people": func(d *desk, _ *fake) { d.who.Profile = "no-people" },
		"nobody asks": func(d *desk, _ *fake) {
			d.who = identity.Caller{Agent: "local", Kind: identity.Nobody, Integration: "acme", Profile: readOnly}
		},
		"Confluence gives no names": func(_ *desk, f *fake) {
			f.before = func(method string) error {
				if method == "UsersByID" {
					return denied(confluence.Unavailable, "")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			site := peopled()
			d := newDesk(t, site, withProfile(t, noPeople))
			c(d, site)
			r, _ := d.ok("get_comments", args{"page_id": "11"})
			assert.Contains(t, r.Text, "comment 31 by u-bob,")
			r, _ = d.ok("get_page", args{"page_id": "11"})
			assert.Contains(t, r.Text, "[@](confluence:user/u-bob)")
		})
	}
}

func TestRowsHaveVersionsAndOneAddress(t *testing.T) {
	d, _ := emulated(t, "u-ann")
	_, made := d.ok("create_page", args{"space_key": "ENG", "title": "Über (die) Öl+Pumpe: 50% & mehr", "body": "pump", "labels": []string{"zed"}})
	id := made["id"]
	_, want := d.ok("get_page", args{"page_id": id})

	for name, a := range map[string]args{
		"of a space": {"space_key": "ENG"}, "below a page": {"parent_id": "1000"}, "deep below a page": {"parent_id": "1000", "depth": 5},
		"with a label": {"label": "zed"}, "changed": {"changed_since": "4w", "space_key": "ENG"},
	} {
		r, out := d.ok("list_pages", a)
		rows := out["pages"].([]any)
		i := slices.IndexFunc(rows, func(v any) bool { return v.(map[string]any)["page_id"] == id })
		require.GreaterOrEqual(t, i, 0, name)
		row := rows[i].(map[string]any)
		assert.Equal(t, want["url"], row["url"], name)
		assert.Equal(t, want["version"], row["version"], name)
		assert.Equal(t, "ENG", row["space_key"], name)
		assert.NotContains(t, r.Text, "viewpage.action", name)
		for _, row := range rows {
			if row := row.(map[string]any); row["type"] != "folder" {
				assert.NotZero(t, row["version"], "%s: %v", name, row)
			} else {
				assert.True(t, strings.HasSuffix(row["url"].(string), "/spaces/ENG/folder/1010"), row["url"])
			}
		}
	}
	for _, query := range []string{"*", "pump"} {
		_, out := d.ok("search", args{"query": query, "label": "zed"})
		row := out["results"].([]any)[0].(map[string]any)
		assert.Equal(t, want["url"], row["url"], query)
		assert.Equal(t, want["version"], row["version"], query)
	}
}

func TestRowsAreShownWhenVersionsCannotBeRead(t *testing.T) {
	site := newFake()
	site.before = func(method string) error {
		if method == "PagesByID" {
			return denied(confluence.Unavailable, "")
		}
		return nil
	}
	r, out := newDesk(t, site, func(c *tools.Config) { c.Spaces = boundTo("ENG") }).ok("list_pages", args{"parent_id": "10"})
	assert.Contains(t, r.Text, "Guide (page 11) https://acme.test/wiki/spaces/ENG/pages/11/Guide")
	assert.NotContains(t, out["pages"].([]any)[0], "version")
}
