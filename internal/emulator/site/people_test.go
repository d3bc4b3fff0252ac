package site_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/site"
)

func TestPeople(t *testing.T) {
	s := load(t, append(people(), `{"kind":"site","name":"Acme","cloud_id":"c-1","role_mode":"ROLES","anonymous":false}`)...)
	assert.Equal(t, "Acme", s.Name())
	assert.Equal(t, "c-1", s.CloudID())
	_, ok := s.User("eve")
	assert.False(t, ok, "deactivated")
	s.Read("ann", func(v *site.View) {
		assert.Equal(t, "ROLES", v.RoleMode())
		a, ok := v.GroupByName("A")
		require.True(t, ok)
		members, ok := v.Members(a)
		require.True(t, ok)
		names := []string{}
		for _, u := range members {
			names = append(names, u.ID)
		}
		assert.Equal(t, []string{"ann", "cid", "dan", "fay"}, names, "members of sub-groups too, deactivated ones not")
		assert.Len(t, v.Users(), 8)
		assert.Len(t, v.Groups(), 4, "groups that only users name exist too")
		fay, _ := v.User("fay")
		assert.Len(t, v.GroupsOf(fay), 3)
		sp, _ := v.SpaceByKey("S4")
		grants, ok := v.Grants(sp)
		assert.True(t, ok)
		assert.Equal(t, []site.Grant{{To: "user:ann", Op: "write"}}, grants)
		assert.Nil(t, v.As("eve").Me())
	})
	s.Read("", func(v *site.View) {
		assert.Empty(t, v.Users())
		assert.Empty(t, v.Groups())
		assert.Empty(t, v.Spaces())
	})
	apply(t, s, `{"kind":"user","id":"ann","admin":true}`, `{"kind":"space","id":"4","name":"Four"}`, `{"kind":"group","id":"g-A1","parent":null}`)
	s.Read("ann", func(v *site.View) {
		assert.True(t, v.Admin())
		assert.Equal(t, "ann@acme.test", v.Me().Email, "a part of a line changes only what it has")
		sp, ok := v.SpaceByKey("S4")
		require.True(t, ok, "grants stay")
		assert.Equal(t, "Four", sp.Name)
	})
}

func TestClasses(t *testing.T) {
	for _, tc := range []struct{ class, yes, no string }{
		{"all-licensed-users", "ann", "gus"},
		{"authenticated-users", "gus", ""},
		{"all-product-admins", "pat", "ann"},
		{"anonymous-users", "ann", ""},
		{"jsm-project-admins", "", "pat"},
	} {
		s := load(t, append(people(), `{"kind":"space","id":"9","key":"C","grants":[{"to":"class:`+tc.class+`","op":"read"}]}`, `{"kind":"content","id":"90","space":"C","title":"x"}`)...)
		if tc.yes != "" {
			assert.True(t, sees(s, tc.yes, "90"), "%s admits %s", tc.class, tc.yes)
		}
		assert.False(t, sees(s, tc.no, "90"), "%s keeps out %q", tc.class, tc.no)
	}
}

func TestTemplates(t *testing.T) {
	s := load(t, append(people(), `{"kind":"template","id":"t1","name":"Site one","storage":"<p/>"}`, `{"kind":"template","id":"t2","space":"S4","name":"Anns"}`)...)
	s.Read("bob", func(v *site.View) {
		assert.Len(t, v.Templates(nil), 1)
		_, ok := v.Template("t2")
		assert.False(t, ok, "of a space that bob does not view")
	})
	s.Read("ann", func(v *site.View) {
		sp, _ := v.SpaceByKey("S4")
		assert.Equal(t, "t2", v.Templates(sp)[0].ID)
	})
}

func TestRestrictAndLabels(t *testing.T) {
	s := desk(t)
	require.Zero(t, as(t, s, "ann", func(e *site.Edit) error {
		_, err := e.Restrict("11", site.Subjects{Users: []string{"ann"}}, site.Subjects{})
		if err != nil {
			return err
		}
		_, err = e.AddLabels("12", []string{"One", "one", "two"})
		if err != nil {
			return err
		}
		return e.RemoveLabel("12", "ONE")
	}))
	assert.False(t, sees(s, "bob", "13"), "children inherit")
	assert.Equal(t, []string{"two"}, get(t, s, "12").Labels)
	view(s, func(v *site.View) {
		assert.Equal(t, v.LabelID("two"), v.LabelID("two"))
		assert.NotEqual(t, v.LabelID("one"), v.LabelID("two"))
	})
}
