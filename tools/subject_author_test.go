package tools_test

import (
	"context"
	"testing"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

const outsideProfile = `
version: 1
name: outside
groups:
  pages: {level: read_write}
  search: {level: read_only}
  attachments: {level: read_only}
rules:
  - id: from-outside
    match: {groups: [pages], actions: [create, update]}
    when: context.read_external
    effect: require_approval
`

// What somebody outside wrote last marks who reads it, by whichever tool; what
// the site's own people wrote does not.
func TestI04_ReadingWhatOutsidersWroteMarksTheCaller(t *testing.T) {
	people := []string{
		`{"kind":"user","id":"u-app","username":"app","name":"An App","active":true,"account":"app","token":"app-token"}`,
		`{"kind":"user","id":"u-old","username":"old","name":"Gone","email":"old@acme.test","active":false,"token":"old-token"}`,
	}
	page := func(author string) string {
		return `{"kind":"content","id":"1030","type":"page","space":"ENG","parent":"1000","title":"Zebra stripes","storage":"<p>zebra</p>","author":"` + author + `"}`
	}
	comment := func(author string) string {
		return `{"kind":"content","id":"5030","type":"comment","space":"ENG","parent":"1030","storage":"<p>hm</p>","author":"` + author + `"}`
	}
	file := func(author string) string {
		return `{"kind":"content","id":"6030","type":"attachment","space":"ENG","parent":"1030","title":"a.txt","media_type":"text/plain","data":"YQ==","author":"` + author + `"}`
	}
	read := args{"page_id": "1030"}
	for name, c := range map[string]struct {
		site   []string
		tool   string
		in     args
		marked bool
	}{
		"own":                    {[]string{page("u-ann")}, "get_page", read, false},
		"own who left":           {[]string{page("u-old")}, "get_page", read, false},
		"guest":                  {[]string{page("u-gus")}, "get_page", read, true},
		"app":                    {[]string{page("u-app")}, "get_page", read, true},
		"found, not opened":      {[]string{page("u-gus")}, "search", args{"query": "zebra"}, true},
		"comment of a guest":     {[]string{page("u-ann"), comment("u-gus")}, "get_comments", read, true},
		"comment of an own":      {[]string{page("u-ann"), comment("u-bob")}, "get_comments", read, false},
		"file of a guest":        {[]string{page("u-ann"), file("u-gus")}, "download_attachment", args{"attachment_id": "6030"}, true},
		"file of an own":         {[]string{page("u-ann"), file("u-bob")}, "download_attachment", args{"attachment_id": "6030"}, false},
		"a listing with a guest": {[]string{page("u-gus")}, "list_pages", args{"space_key": "ENG"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			at := emulatortest.Epoch()
			d, site := emulated(t, "u-ops", func(cfg *tools.Config) {
				withProfile(t, outsideProfile)(cfg)
				cfg.Now = func() time.Time { return at }
			})
			d = d.as("outside")
			site.Apply(append(people, c.site...)...)
			d.ok("create_page", args{"space_key": "ENG", "title": "Before"})
			d.ok(c.tool, c.in)
			if !c.marked {
				d.ok("create_page", args{"space_key": "ENG", "title": "After"})
				return
			}
			d.fails("approval.required", "create_page", args{"space_key": "ENG", "title": "After"})
			at = at.Add(10*time.Minute + time.Second)
			d.ok("create_page", args{"space_key": "ENG", "title": "Later"})
		})
	}
}

// An author who cannot be looked up counts as from outside.
func TestI04_UnknownAuthorsCountAsOutside(t *testing.T) {
	d, site := emulated(t, "u-ops", withProfile(t, outsideProfile))
	d = d.as("outside")
	site.Apply(`{"kind":"fault","match":"POST /wiki/api/v2/users-bulk","action":{"status":500},"times":99}`)
	d.ok("get_page", args{"page_id": "1001"})
	d.fails("approval.required", "create_page", args{"space_key": "ENG", "title": "After"})
}

// blind hands out a site to all, and to nobody's callers one whose directory they
// may not read.
type blind struct{ tools.Sites }

type withoutPeople struct{ tools.Site }

func (withoutPeople) UsersByID(context.Context, []string) (map[string]confluence.User, error) {
	return map[string]confluence.User{}, nil
}

func (b blind) For(ctx context.Context, c identity.Caller) (tools.Site, error) {
	s, err := b.Sites.For(ctx, c)
	if c.Kind == identity.Nobody {
		s = withoutPeople{s}
	}
	return s, err
}

// What a caller who may not read the directory finds out about an author is
// remembered for him alone.
func TestI04_WhoAnAuthorIsIsRememberedForEachCaller(t *testing.T) {
	public := func(d *desk) *desk {
		other := *d
		other.who.Agent, other.who.Kind, other.who.AccountID = "kiosk", identity.Nobody, "" // users of one agent share marks
		return &other
	}
	for _, publicFirst := range []bool{true, false} {
		d, _ := emulated(t, "u-ops", func(cfg *tools.Config) {
			withProfile(t, outsideProfile)(cfg)
			cfg.Sites = blind{cfg.Sites}
		})
		d = d.as("outside")
		order := []*desk{public(d), d}
		if !publicFirst {
			order = []*desk{d, public(d)}
		}
		for _, one := range order {
			one.ok("get_page", args{"page_id": "1001"})
		}
		d.ok("create_page", args{"space_key": "ENG", "title": "After"})
		public(d).fails("approval.required", "create_page", args{"space_key": "ENG", "title": "After that"})
	}
}
