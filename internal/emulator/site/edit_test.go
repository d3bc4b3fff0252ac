package site_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/site"
)

// desk is a site in which ann writes everywhere, bob reads and cid writes in T
// only.
func desk(t *testing.T) *site.Site {
	return load(t,
		`{"kind":"user","id":"ann"}`, `{"kind":"user","id":"bob"}`, `{"kind":"user","id":"cid"}`,
		`{"kind":"space","id":"1","key":"S","grants":[{"to":"user:ann","op":"write"},{"to":"user:bob","op":"read"}]}`,
		`{"kind":"space","id":"2","key":"T","grants":[{"to":"user:ann","op":"write"},{"to":"user:cid","op":"write"}]}`,
		`{"kind":"content","id":"10","space":"S","title":"Home"}`,
		`{"kind":"content","id":"11","space":"S","parent":"10","title":"One","storage":"<p>alpha beta alpha</p>"}`,
		`{"kind":"content","id":"12","space":"S","parent":"10","title":"Two"}`,
		`{"kind":"content","id":"13","space":"S","parent":"11","title":"Below"}`,
		`{"kind":"content","id":"14","type":"folder","space":"S","parent":"10","title":"Folder"}`,
		`{"kind":"content","id":"15","space":"S","parent":"10","title":"Old","status":"archived"}`,
		`{"kind":"content","id":"20","space":"T","title":"T home"}`,
		`{"kind":"content","id":"21","space":"T","parent":"20","title":"below"}`,
	)
}

// as runs an edit and answers the refusal's status, 0 for none.
func as(t *testing.T, s *site.Site, user string, fn func(*site.Edit) error) int {
	t.Helper()
	err := s.Write(user, fn)
	if err == nil {
		return 0
	}
	var r *site.Refusal
	require.True(t, errors.As(err, &r), "%v", err)
	return r.Status
}

func view(s *site.Site, fn func(*site.View)) { s.Read("ann", fn) }

func get(t *testing.T, s *site.Site, id string) (c *site.Content) {
	t.Helper()
	view(s, func(v *site.View) { c, _ = v.Content(id) })
	require.NotNil(t, c, id)
	return c
}

func ptr(s string) *string { return &s }

func TestRefusals(t *testing.T) {
	page := func(d site.Draft) func(*site.Edit) error {
		return func(e *site.Edit) error {
			d.Type, d.Space = "page", "S"
			_, err := e.CreatePage(d, false)
			return err
		}
	}
	update := func(id string, ch site.Change) func(*site.Edit) error {
		return func(e *site.Edit) error { _, err := e.Update(id, ch); return err }
	}
	move := func(id, pos, to string) func(*site.Edit) error {
		return func(e *site.Edit) error { _, err := e.Move(id, pos, to); return err }
	}
	for _, tc := range []struct {
		name, user string
		fn         func(*site.Edit) error
		want       int
	}{
		{"title taken in another case", "ann", page(site.Draft{Title: "oNE"}), 400},
		{"title taken by an archived page", "ann", page(site.Draft{Title: "Old"}), 400},
		{"title of a folder is free", "ann", page(site.Draft{Title: "Folder"}), 0},
		{"no title", "ann", page(site.Draft{}), 400},
		{"a draft needs none", "ann", page(site.Draft{Status: "draft"}), 0},
		{"title too long", "ann", page(site.Draft{Title: strings.Repeat("x", 256)}), 400},
		{"body is no XML", "ann", page(site.Draft{Title: "x", Storage: "<p>a<b></p>"}), 400},
		{"body closes more than it opens", "ann", page(site.Draft{Title: "x", Storage: "</body><body>"}), 400},
		{"entities and prefixes are fine", "ann", page(site.Draft{Title: "x", Storage: `<p>&nbsp;&auml;<ac:link><ri:page ri:content-title="y" /></ac:link></p>`}), 0},
		{"unknown entity", "ann", page(site.Draft{Title: "x", Storage: "<p>&nope;</p>"}), 400},
		{"too large", "ann", page(site.Draft{Title: "x", Storage: strings.Repeat("x", 5_242_881)}), 413},
		{"reader creates", "bob", page(site.Draft{Title: "x"}), 403},
		{"stranger creates", "cid", page(site.Draft{Title: "x"}), 404},
		{"parent in another space", "ann", page(site.Draft{Title: "x", Parent: "20"}), 400},
		{"parent is nowhere", "ann", page(site.Draft{Title: "x", Parent: "99"}), 404},
		{"stale version", "ann", update("11", site.Change{Version: 1, Title: ptr("x")}), 409},
		{"next version", "ann", update("11", site.Change{Version: 2, Title: ptr("x")}), 0},
		{"reader updates", "bob", update("11", site.Change{Version: 2}), 403},
		{"archived is frozen", "ann", update("15", site.Change{Version: 2}), 400},
		{"below itself by update", "ann", update("11", site.Change{Parent: ptr("13")}), 400},
		{"below itself", "ann", move("11", "append", "13"), 400},
		{"onto itself", "ann", move("11", "append", "11"), 400},
		{"title clash over there", "ann", move("11", "append", "20"), 400},
		{"mover may not write there", "cid", move("21", "append", "10"), 404},
		{"purge needs the trash", "ann", func(e *site.Edit) error { return e.Purge("11") }, 400},
		{"lock out", "ann", func(e *site.Edit) error {
			_, err := e.Restrict("11", site.Subjects{Users: []string{"bob"}}, site.Subjects{})
			return err
		}, 400},
		{"absent label", "ann", func(e *site.Edit) error { return e.RemoveLabel("11", "none") }, 403},
		{"label with a space", "ann", func(e *site.Edit) error { _, err := e.AddLabels("11", []string{"a b"}); return err }, 400},
		{"label on archived", "ann", func(e *site.Edit) error { _, err := e.AddLabels("15", []string{"a"}); return err }, 403},
		{"space key taken", "ann", func(e *site.Edit) error { _, err := e.CreateSpace(site.Space{Key: "s", Name: "x"}, false); return err }, 400},
		{"space of a reader", "bob", func(e *site.Edit) error { return e.DeleteSpace("S") }, 403},
		{"anonymous makes a space", "", func(e *site.Edit) error { _, err := e.CreateSpace(site.Space{Key: "N", Name: "x"}, false); return err }, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := desk(t)
			before := get(t, s, "11")
			assert.Equal(t, tc.want, as(t, s, tc.user, tc.fn))
			if tc.want != 0 {
				assert.Same(t, before, get(t, s, "11"), "a refusal changes nothing")
			}
		})
	}
}

func TestVersionsAreKept(t *testing.T) {
	s := desk(t)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		_, err := e.Update("11", site.Change{Version: 2, Storage: ptr("<p>second</p>"), Message: "why", Minor: true})
		return err
	}))
	c := get(t, s, "11")
	assert.Equal(t, 2, c.Version)
	assert.Equal(t, "ann", c.UpdatedBy)
	view(s, func(v *site.View) {
		first, ok := v.Version(c, 1)
		require.True(t, ok)
		assert.Equal(t, "<p>alpha beta alpha</p>", first.Storage)
		assert.Len(t, v.Versions(c), 2)
		assert.Equal(t, []string{"", "ann"}, v.Contributors(c))
	})
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error { _, err := e.RestoreVersion("11", 1, "", false); return err }))
	assert.Equal(t, "<p>alpha beta alpha</p>", get(t, s, "11").Storage)
	assert.Equal(t, 3, get(t, s, "11").Version)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error { return e.DeleteVersion("11", 1) }))
	c = get(t, s, "11")
	assert.Equal(t, 2, c.Version, "later versions move up")
	view(s, func(v *site.View) {
		first, ok := v.Version(c, 1)
		require.True(t, ok)
		assert.Equal(t, "<p>second</p>", first.Storage)
	})
}

func TestTrashAndBack(t *testing.T) {
	s := desk(t)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error { return e.Trash("11") }))
	assert.Equal(t, "trashed", get(t, s, "11").Status)
	assert.Equal(t, "10", get(t, s, "13").Parent, "children move up")
	view(s, func(v *site.View) {
		assert.ElementsMatch(t, []string{"12", "13", "14", "15"}, ids(v.Children("10")))
		_, ok := v.PageByTitle("S", "one")
		assert.False(t, ok, "the title is free")
	})
	assert.Equal(t, 404, as(t, s, "ann", func(e *site.Edit) error { return e.Trash("11") }))
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		_, err := e.Update("11", site.Change{Version: 2, Status: ptr("current"), Storage: ptr("<p>ignored</p>")})
		return err
	}))
	c := get(t, s, "11")
	assert.Equal(t, "current", c.Status)
	assert.Equal(t, "10", c.Parent)
	assert.Equal(t, "<p>alpha beta alpha</p>", c.Storage)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		return errors.Join(e.Trash("11"), e.Purge("11"))
	}))
	assert.False(t, sees(s, "ann", "11"))
}

func TestMoveTakesEverythingAlong(t *testing.T) {
	s := desk(t)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		_, err := e.Update("13", site.Change{Title: ptr("Under One")})
		if err != nil {
			return err
		}
		_, err = e.Attach("13", site.Draft{Title: "f.txt", Data: []byte("x")}, false, false)
		if err != nil {
			return err
		}
		_, err = e.Move("11", "append", "20")
		return err
	}))
	assert.Equal(t, "T", get(t, s, "13").Space)
	assert.Equal(t, 1, get(t, s, "11").Version, "a move is no version")
	assert.True(t, sees(s, "cid", "13"))
	assert.False(t, sees(s, "bob", "13"))
	view(s, func(v *site.View) { assert.Equal(t, "T", v.Attachments("13")[0].Space) })
}

func TestMoveOrders(t *testing.T) {
	s := desk(t)
	for _, tc := range []struct {
		position, target string
		want             []string
	}{
		{"before", "11", []string{"12", "11", "14", "15"}},
		{"after", "14", []string{"11", "14", "12", "15"}},
		{"append", "10", []string{"11", "14", "15", "12"}},
	} {
		require.Zero(t, as(t, s, "ann", func(e *site.Edit) error { _, err := e.Move("12", tc.position, tc.target); return err }))
		view(s, func(v *site.View) { assert.Equal(t, tc.want, ids(v.Children("10")), tc.position) })
	}
}

func TestInlineComments(t *testing.T) {
	const open, end = `<ac:inline-comment-marker ac:ref="R">`, `</ac:inline-comment-marker>`
	for _, tc := range []struct {
		name, storage, selection string
		index, count             int
		want                     string // empty: refused
	}{
		{"the only match", "<p>alpha beta</p>", "beta", 0, 1, "<p>alpha " + open + "beta" + end + "</p>"},
		{"the second match", "<p>alpha beta alpha</p>", "alpha", 1, 2, "<p>alpha beta " + open + "alpha" + end + "</p>"},
		{"through an entity", "<p>a &amp; b</p>", "a & b", 0, 1, "<p>" + open + "a &amp; b" + end + "</p>"},
		{"across a tag", "<p>a <b>c</b> d</p>", "a c d", 0, 1,
			"<p>" + open + "a " + end + "<b>" + open + "c" + end + "</b>" + open + " d" + end + "</p>"},
		{"not there", "<p>alpha</p>", "gamma", 0, 1, ""},
		{"another count", "<p>alpha alpha</p>", "alpha", 0, 1, ""},
		{"index too large", "<p>alpha</p>", "alpha", 1, 1, ""},
		{"only in a macro's code", "<![CDATA[alpha]]>", "alpha", 0, 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := desk(t)
			apply(t, s, `{"kind":"content","id":"12","storage":"`+strings.ReplaceAll(tc.storage, `"`, `\"`)+`"}`)
			version := get(t, s, "12").Version
			status := as(t, s, "ann", func(e *site.Edit) error {
				_, err := e.CreateComment(site.Draft{Parent: "12", Storage: "<p>?</p>", Inline: &site.Inline{Selection: tc.selection, Index: tc.index, Count: tc.count}})
				return err
			})
			page := get(t, s, "12")
			assert.Equal(t, version, page.Version, "the marker is no version")
			if tc.want == "" {
				assert.Equal(t, 400, status)
				assert.Equal(t, tc.storage, page.Storage)
				return
			}
			require.Zero(t, status)
			view(s, func(v *site.View) {
				c := v.Comments("12")[0]
				assert.Equal(t, "open", c.Resolution)
				assert.Equal(t, tc.want, strings.ReplaceAll(page.Storage, c.Inline.Marker, "R"))
			})
			require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
				_, err := e.Update("12", site.Change{Storage: ptr("<p>new</p>")})
				return err
			}))
			view(s, func(v *site.View) { assert.Equal(t, "dangling", v.Comments("12")[0].Resolution) })
		})
	}
}

func TestAttachments(t *testing.T) {
	s := desk(t)
	attach := func(replace bool, data string) int {
		return as(t, s, "ann", func(e *site.Edit) error {
			_, err := e.Attach("11", site.Draft{Title: "f.txt", MediaType: "text/plain", Data: []byte(data)}, replace, true)
			return err
		})
	}
	require.Zero(t, attach(false, "one"))
	assert.Equal(t, 400, attach(false, "two"), "the name is taken")
	require.Zero(t, attach(true, "two"))
	view(s, func(v *site.View) {
		a, ok := v.AttachmentByName("11", "f.txt")
		require.True(t, ok)
		assert.Equal(t, 2, a.Version)
		assert.Equal(t, "two", string(a.Data))
		first, ok := v.Version(a, 1)
		require.True(t, ok)
		assert.Equal(t, "one", string(first.Data))
	})
	assert.Equal(t, 1, get(t, s, "11").Version, "the page does not change")
}

func TestCopy(t *testing.T) {
	s := desk(t)
	var made string
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		_, err := e.AddLabels("11", []string{"Red"})
		require.NoError(t, err)
		_, err = e.Attach("11", site.Draft{Title: "f", Data: []byte("x")}, false, false)
		require.NoError(t, err)
		c, err := e.Copy("11", site.CopyPlan{Parent: "20", Labels: true, Attachments: true})
		made = c.ID
		return err
	}))
	c := get(t, s, made)
	assert.Equal(t, "T", c.Space)
	assert.Equal(t, []string{"red"}, c.Labels)
	assert.Equal(t, "<p>alpha beta alpha</p>", c.Storage)
	view(s, func(v *site.View) { assert.Len(t, v.Attachments(made), 1) })
}

func TestSpaces(t *testing.T) {
	s := desk(t)
	require.Zero(t, as(t, s, "bob", func(e *site.Edit) error {
		_, err := e.CreateSpace(site.Space{Key: "NEW", Name: "New"}, true)
		return err
	}))
	view(s, func(v *site.View) { _, ok := v.SpaceByKey("NEW"); assert.False(t, ok, "private") })
	s.Read("bob", func(v *site.View) {
		sp, ok := v.SpaceByKey("new")
		require.True(t, ok)
		home, ok := v.Home(sp)
		require.True(t, ok)
		assert.Equal(t, "New", home.Title)
	})
	require.Zero(t, as(t, s, "bob", func(e *site.Edit) error {
		_, err := e.UpdateSpace("NEW", site.SpaceChange{Status: ptr("archived")})
		return err
	}))
	s.Read("bob", func(v *site.View) {
		sp, _ := v.SpaceByKey("NEW")
		assert.Equal(t, "archived", sp.Status)
		assert.Equal(t, "New", sp.Name)
	})
	require.Zero(t, as(t, s, "bob", func(e *site.Edit) error { return e.DeleteSpace("NEW") }))
	s.Read("bob", func(v *site.View) { _, ok := v.SpaceByKey("NEW"); assert.False(t, ok) })
}

func TestSearchLags(t *testing.T) {
	now := clock()
	s := site.New(site.Config{Now: func() time.Time { return now }})
	require.NoError(t, s.Load(strings.NewReader(`{"kind":"user","id":"ann"}
{"kind":"space","id":"1","key":"S","grants":[{"to":"user:ann","op":"write"}]}
{"kind":"content","id":"10","space":"S","title":"Home"}
{"kind":"content","id":"11","space":"S","parent":"10","title":"One"}
{"kind":"content","id":"12","space":"S","parent":"10","title":"Draft","status":"draft","author":"ann"}`)))
	titles := func() (out []string) {
		view(s, func(v *site.View) {
			for c := range v.Indexed() {
				out = append(out, c.Title)
			}
		})
		return out
	}
	s.SetSearchLag(time.Minute)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		_, err := e.Update("11", site.Change{Title: ptr("Two")})
		require.NoError(t, err)
		_, err = e.CreatePage(site.Draft{Type: "page", Space: "S", Title: "New"}, false)
		return err
	}))
	assert.Equal(t, []string{"Home", "One"}, titles())
	now = now.Add(30 * time.Second)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error { _, err := e.Update("11", site.Change{Title: ptr("Three")}); return err }))
	now = now.Add(31 * time.Second)
	assert.Equal(t, []string{"Home", "Two", "New"}, titles(), "each change comes when its time has come")
	now = now.Add(30 * time.Second)
	assert.Equal(t, []string{"Home", "Three", "New"}, titles())
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error { return e.Archive("11") }))
	assert.Contains(t, titles(), "Three", "the index still shows what was archived")
	apply(t, s, `{"kind":"content","id":"10","space":"S","title":"Home","read":["user:bob"]}`)
	assert.Empty(t, titles(), "rights are never old")
	s.SetSearchLag(0)
	apply(t, s, `{"kind":"content","id":"10","space":"S","title":"Home"}`)
	assert.Equal(t, []string{"Home", "New"}, titles())
}

func TestWalk(t *testing.T) {
	s := desk(t)
	for _, tc := range []struct {
		name string
		q    site.Query
		want string
	}{
		{"by id", site.Query{Type: "page", Space: "S"}, "10 11 12 13 15"},
		{"descending", site.Query{Type: "page", Space: "S", Desc: true}, "15 13 12 11 10"},
		{"by title", site.Query{Type: "page", Space: "S", Sort: "title"}, "13 10 15 11 12"},
		{"everywhere", site.Query{Type: "page"}, "10 11 12 13 15 20 21"},
		{"kept", site.Query{Type: "page", Keep: func(c *site.Content) bool { return c.Status == "archived" }}, "15"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			view(s, func(v *site.View) {
				var all []*site.Content
				for c := range v.Walk(tc.q) {
					all = append(all, c)
				}
				assert.Equal(t, tc.want, strings.Join(ids(all), " "))
				for i, c := range all { // a walk goes on behind any of its contents
					q := tc.q
					mark := q.Mark(c)
					q.After = &mark
					var rest []*site.Content
					for c := range v.Walk(q) {
						rest = append(rest, c)
					}
					assert.Equal(t, strings.Join(ids(all[i+1:]), " "), strings.Join(ids(rest), " "))
				}
			})
		})
	}
}
