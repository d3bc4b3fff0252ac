package site_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/site"
)

func TestBadLinesAreRefusedWithTheirNumber(t *testing.T) {
	for _, tc := range []struct{ name, line, want string }{
		{"no JSON", `{`, "line 2"},
		{"unknown kind", `{"kind":"planet"}`, `line 2: kind "planet" is unknown`},
		{"unknown field", `{"kind":"user","id":"u","nick":"x"}`, `line 2: json: unknown field "nick"`},
		{"two values", `{"kind":"site"} {"kind":"site"}`, "more than one"},
		{"user without id", `{"kind":"user"}`, "id is missing"},
		{"unknown account", `{"kind":"user","id":"u","account":"robot"}`, "robot"},
		{"group without name", `{"kind":"group","id":"g"}`, "name is missing"},
		{"space without key", `{"kind":"space","id":"2"}`, "id and key"},
		{"space key taken", `{"kind":"space","id":"2","key":"s"}`, "belongs to space 1"},
		{"unknown grantee", `{"kind":"space","id":"2","key":"T","grants":[{"to":"staff","op":"read"}]}`, `"staff" is unknown`},
		{"unknown class", `{"kind":"space","id":"2","key":"T","grants":[{"to":"class:all","op":"read"}]}`, `"class:all" is unknown`},
		{"unknown op", `{"kind":"space","id":"2","key":"T","grants":[{"to":"anonymous","op":"admin"}]}`, `"admin" is unknown`},
		{"unknown type", `{"kind":"content","id":"9","space":"S","title":"x","type":"card"}`, `"card" is unknown`},
		{"unknown status", `{"kind":"content","id":"9","space":"S","title":"x","status":"lost"}`, `"lost" is unknown`},
		{"no title", `{"kind":"content","id":"9","space":"S"}`, "title is missing"},
		{"no such space", `{"kind":"content","id":"9","space":"NO","title":"x"}`, `space "NO" does not exist`},
		{"no such parent", `{"kind":"content","id":"9","space":"S","title":"x","parent":"8"}`, `parent "8" does not exist`},
		{"title taken in the same file", `{"kind":"content","id":"7","space":"S","title":"TAKEN"}` + "\n" + `{"kind":"content","id":"8","space":"S","title":"taken"}`, `line 3`},
		{"own parent", `{"kind":"content","id":"9","space":"S","title":"x","parent":"9"}`, "form a loop"},
		{"restricted comment", `{"kind":"content","id":"9","type":"comment","parent":"1","read":["group:A"]}`, "no restrictions of its own"},
		{"bad subject", `{"kind":"content","id":"9","space":"S","title":"x","read":["A"]}`, "neither group:NAME nor user:ID"},
		{"bad data", `{"kind":"content","id":"9","type":"attachment","parent":"1","title":"x","data":"*"}`, "illegal base64"},
		{"bad time", `{"kind":"content","id":"9","space":"S","title":"x","created":"yesterday"}`, "yesterday"},
		{"unknown role mode", `{"kind":"site","role_mode":"SOME"}`, `"SOME" is unknown`},
		{"deleting nothing", `{"kind":"delete","id":"77"}`, `"77"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := site.New(site.Config{Now: clock})
			err := s.Load(strings.NewReader(`{"kind":"space","id":"1","key":"S"}` + "\n" + tc.line + "\n"))
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.want)
			assert.Regexp(t, `line [23]: `, err.Error())
		})
	}
}

func TestAFileIsReadInAnyOrderAndZipped(t *testing.T) {
	text := `{"kind":"content","id":"12","type":"attachment","parent":"11","title":"f.txt","data":"aGk="}
{"kind":"content","id":"11","space":"S","parent":"10","title":"Child"}
{"kind":"content","id":"10","space":"S","title":"Home"}

{"kind":"user","id":"ann","groups":["staff"]}
{"kind":"space","id":"1","key":"S","grants":[{"to":"group:staff","op":"write"}]}
{"kind":"group","id":"g-77","name":"staff"}`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	s := site.New(site.Config{Now: clock})
	require.NoError(t, s.Load(&zipped))
	s.Read("ann", func(v *site.View) {
		sp, ok := v.SpaceByKey("s")
		require.True(t, ok)
		assert.Equal(t, "10", v.HomeID(sp))
		c, ok := v.Content("12")
		require.True(t, ok, "attachments answer to their number")
		assert.Equal(t, "att12", c.ID)
		assert.Equal(t, "S", c.Space)
		assert.Equal(t, "hi", string(c.Data))
		assert.Equal(t, []string{"10", "11"}, ids(v.Ancestors(c)))
		assert.Equal(t, "g-77", v.GroupsOf(v.Me())[0].ID)
	})
}

func ids(list []*site.Content) []string {
	out := []string{}
	for _, c := range list {
		out = append(out, c.ID)
	}
	return out
}

func TestUpsert(t *testing.T) {
	const whole = `{"kind":"content","id":"10","space":"S","title":"Home","storage":"<p>one</p>","labels":["x"],"read":["user:ann"],"author":"ann","version":3}`
	for _, tc := range []struct {
		name, line string
		check      func(t *testing.T, c *site.Content)
	}{
		{"a whole line replaces, omitted fields are the defaults", `{"kind":"content","id":"10","space":"S","title":"Home","storage":"<p>one</p>"}`, func(t *testing.T, c *site.Content) {
			assert.Empty(t, c.Labels)
			assert.True(t, c.Read.Empty())
			assert.Equal(t, 3, c.Version, "the text is the same")
		}},
		{"a new body is a new version", `{"kind":"content","id":"10","space":"S","title":"Home","storage":"<p>two</p>"}`, func(t *testing.T, c *site.Content) {
			assert.Equal(t, 4, c.Version)
			assert.Equal(t, clock(), c.Updated)
		}},
		{"a part changes only what it has", `{"kind":"content","id":"10","labels":["y"]}`, func(t *testing.T, c *site.Content) {
			assert.Equal(t, []string{"y"}, c.Labels)
			assert.Equal(t, []string{"ann"}, c.Read.Users)
			assert.Equal(t, "<p>one</p>", c.Storage)
			assert.Equal(t, 3, c.Version)
		}},
		{"a given version is taken", `{"kind":"content","id":"10","version":9,"updated":"2026-05-01T00:00:00Z"}`, func(t *testing.T, c *site.Content) {
			assert.Equal(t, 9, c.Version)
			assert.Equal(t, 2026, c.Updated.Year())
			assert.Equal(t, "May", c.Updated.Month().String())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := load(t, `{"kind":"user","id":"ann"}`, `{"kind":"space","id":"1","key":"S","grants":[{"to":"user:ann","op":"write"}]}`, whole)
			apply(t, s, tc.line)
			s.Read("ann", func(v *site.View) {
				c, ok := v.Content("10")
				require.True(t, ok)
				tc.check(t, c)
			})
		})
	}
}

func TestARefusedLineChangesNothing(t *testing.T) {
	s := load(t, `{"kind":"user","id":"ann"}`, `{"kind":"space","id":"1","key":"S","grants":[{"to":"user:ann","op":"write"}]}`, `{"kind":"content","id":"10","space":"S","title":"Home"}`)
	require.Error(t, s.Apply([]byte(`{"kind":"content","id":"10","space":"S","title":"New","parent":"404"}`)))
	s.Read("ann", func(v *site.View) {
		c, _ := v.Content("10")
		assert.Equal(t, "Home", c.Title)
	})
}

func TestDeletePurges(t *testing.T) {
	s := load(t, `{"kind":"user","id":"ann"}`, `{"kind":"space","id":"1","key":"S","grants":[{"to":"user:ann","op":"write"}]}`,
		`{"kind":"content","id":"10","space":"S","title":"Home"}`, `{"kind":"content","id":"11","space":"S","parent":"10","title":"Mid"}`,
		`{"kind":"content","id":"12","space":"S","parent":"11","title":"Leaf"}`, `{"kind":"content","id":"13","type":"comment","parent":"11"}`)
	apply(t, s, `{"kind":"delete","id":"11"}`)
	assert.False(t, sees(s, "ann", "11"))
	assert.False(t, sees(s, "ann", "13"), "comments go with their page")
	s.Read("ann", func(v *site.View) {
		assert.Equal(t, []string{"12"}, ids(v.Children("10")), "children move up")
	})
	apply(t, s, `{"kind":"delete","id":"1"}`)
	assert.False(t, sees(s, "ann", "10"))
	apply(t, s, `{"kind":"delete","id":"ann"}`)
	s.Read("ann", func(v *site.View) { assert.Nil(t, v.Me()) })
}
