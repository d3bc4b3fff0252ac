package tools_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

// ways are the two to undo the last change of a page.
var ways = map[string]func(page, change string, version int) (tool string, in args){
	"update_page": func(page, _ string, version int) (string, args) {
		return "update_page", args{"page_id": page, "base_version": version, "undo": true}
	},
	"undo": func(_, change string, _ int) (string, args) { return "undo", args{"change_id": change} },
}

// When a version of the history is deleted, later ones move down: what is then
// at the number a change made may be somebody else's.
func TestUndoKnowsAnotherVersionOfTheSameNumber(t *testing.T) {
	for name, way := range ways {
		for _, kind := range []string{"page", "blogpost"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				u := newUndoing(t)
				id := map[string]string{"page": u.page, "blogpost": u.blog}[kind]
				change := u.changeID("update_page", args{"page_id": id, "base_version": 1, "body": "Other words."})
				u.other.ok("update_page", args{"page_id": id, "base_version": 2, "body": "Hers."})
				u.askFor(http.StatusNoContent, http.MethodDelete, "/rest/api/content/"+id+"/version/2", "")
				after, wrote := u.state(), u.writes()
				require.Contains(t, after, "Hers.")
				tool, in := way(id, change, 2)
				u.fails("conflict.undo", tool, in)
				assert.Equal(t, after, u.state())
				assert.Equal(t, wrote, u.writes())
			})
		}
	}
}

// A service account writes for everybody: then the time tells.
func TestUndoKnowsALaterVersionOfTheSameAuthor(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			site := newFake()
			d := newDesk(t, site)
			_, out := d.ok("update_page", args{"page_id": "11", "base_version": 3, "title": "Other"})
			p := site.pages["11"]
			p.Version.CreatedAt = p.Version.CreatedAt.Add(time.Minute)
			site.put(p)
			wrote := site.writes()
			tool, in := way("11", out["change_id"].(string), 4)
			d.fails("conflict.undo", tool, in)
			assert.Equal(t, wrote, site.writes())
		})
	}
}

// An undo is a change like any other, whichever way it was made.
func TestAnUndoIsUndone(t *testing.T) {
	for first, one := range ways {
		for second, other := range ways {
			for _, kind := range []string{"page", "blogpost"} {
				t.Run(first+" then "+second+" "+kind, func(t *testing.T) {
					u := newUndoing(t)
					id := map[string]string{"page": u.page, "blogpost": u.blog}[kind]
					before := u.state()
					change := u.changeID("update_page", args{"page_id": id, "base_version": 1, "body": "Other words."})
					changed := u.state()
					tool, in := one(id, change, 2)
					change = u.changeID(tool, in)
					assert.Equal(t, before, u.state())
					tool, in = other(id, change, 3)
					change = u.changeID(tool, in)
					assert.Equal(t, changed, u.state())
					tool, in = one(id, change, 4)
					u.ok(tool, in)
					assert.Equal(t, before, u.state())
				})
			}
		}
	}
}

// What was made when somebody approved it is its requester's to undo.
func TestUndoOfAnApprovedUpdate(t *testing.T) {
	a := newApproving(t)
	r := a.approve(a.ask("update_page", args{"page_id": "1001", "base_version": 3, "edits": []args{{"op": "append", "markdown": "More."}}}))
	require.Equal(t, approval.Executed, r.State, r.Reason)
	_, out := a.ok("get_page", args{"page_id": "1001", "mode": "storage"})
	require.Contains(t, out["content"], "More.")
	r = a.approve(a.ask("update_page", args{"page_id": "1001", "base_version": 4, "undo": true}))
	assert.Equal(t, approval.Executed, r.State, r.Reason)
	_, out = a.ok("get_page", args{"page_id": "1001", "mode": "storage"})
	assert.NotContains(t, out["content"], "More.")
}

// ahead is a Confluence that numbers what is saved otherwise than it was asked.
type ahead struct{ *fake }

func (s ahead) UpdatePage(ctx context.Context, u confluence.PageUpdate) (confluence.Page, error) {
	p, err := s.fake.UpdatePage(ctx, u)
	if err == nil {
		p.Version.Number++
		s.put(p)
	}
	return p, err
}

func TestUndoGoesByTheNumberConfluenceGave(t *testing.T) {
	site := newFake()
	d := newDesk(t, ahead{site})
	before := site.pages["11"].Body
	_, out := d.ok("update_page", args{"page_id": "11", "base_version": 3, "edits": []args{{"op": "append", "markdown": "More."}}})
	assert.Equal(t, float64(5), out["version"])
	d.ok("update_page", args{"page_id": "11", "base_version": 5, "undo": true})
	assert.Equal(t, before, site.pages["11"].Body)
}

// elsewhere is another site with the same pages.
type elsewhere struct{ *fake }

func (s elsewhere) Describe() confluence.Site {
	other := s.fake.Describe()
	other.ID, other.Name = "cloud-2", "other"
	return other
}

func TestUndoIsOnTheSiteOfTheChange(t *testing.T) {
	changes := &memory{changes: map[string]audit.Change{}}
	kept := func(c *tools.Config) { c.Changes = changes }
	here, there := newFake(), newFake()
	for _, site := range []tools.Site{here, elsewhere{there}} {
		d := newDesk(t, site, kept)
		d.ok("update_page", args{"page_id": "11", "base_version": 3, "title": "Other"})
	}
	wrote := there.writes()
	for id, c := range changes.changes {
		if c.Site == "cloud-2" {
			delete(changes.changes, id)
		}
	}
	d := newDesk(t, elsewhere{there}, kept)
	d.fails("conflict.undo", "update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	assert.Equal(t, wrote, there.writes())
	newDesk(t, here, kept).ok("update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	assert.Equal(t, "Guide", here.pages["11"].Title)
}
