package demo_test

import (
	"bufio"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/demo"
	"confluence-mcp/internal/emulator/emulatortest"
)

// line is what is looked at of a line of the site.
type line struct {
	Kind, ID, Type, Space, Parent, Title, Storage, Key string
	Labels, Read, Groups                               []string
}

func lines(t *testing.T) []line {
	t.Helper()
	site, err := demo.Site()
	require.NoError(t, err)
	var out []line
	scan := bufio.NewScanner(site)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var l line
		require.NoError(t, json.Unmarshal(scan.Bytes(), &l), scan.Text())
		out = append(out, l)
	}
	require.NoError(t, scan.Err())
	return out
}

// TestTheCompanyHasWhatWikisHave holds what the demo promises to show.
func TestTheCompanyHasWhatWikisHave(t *testing.T) {
	count, of := map[string]int{}, map[string]*regexp.Regexp{
		"tables": regexp.MustCompile(`<table`), "macros": regexp.MustCompile(`<ac:structured-macro`), "tasks": regexp.MustCompile(`<ac:task>`),
		"mentions": regexp.MustCompile(`<ri:user ri:account-id=`), "Japanese": regexp.MustCompile(`[\x{3040}-\x{30ff}]`), "German": regexp.MustCompile(`\b(und|nicht|wird|der|die|das)\b`),
	}
	titles := map[string]bool{}
	for _, l := range lines(t) {
		count[strings.TrimSuffix(l.Kind+" "+l.Type, " ")]++
		if l.Type != "page" && l.Type != "blogpost" {
			continue
		}
		assert.NotEmpty(t, l.Storage, l.Title)
		assert.False(t, titles[l.Space+l.Title], "%s stands twice in %s", l.Title, l.Space)
		titles[l.Space+l.Title] = true
		for what, sign := range of {
			if sign.MatchString(l.Storage) {
				count[what]++
			}
		}
		if len(l.Labels) > 0 {
			count["labelled"]++
		}
		if len(l.Read) > 0 {
			count["restricted"]++
		}
	}
	assert.InDelta(t, 120, count["content page"], 10)
	assert.Equal(t, 5, count["space global"])
	for what, least := range map[string]int{"content blogpost": 5, "content attachment": 5, "content comment": 5, "group": 5, "user": 8,
		"tables": 20, "macros": 30, "tasks": 5, "mentions": 10, "Japanese": 3, "German": 3, "labelled": 50, "restricted": 4} {
		assert.GreaterOrEqual(t, count[what], least, what)
	}
}

// TestTheSiteIsTaken by the emulator, and shows two people different things.
func TestTheSiteIsTaken(t *testing.T) {
	site, err := demo.Site()
	require.NoError(t, err)
	var text strings.Builder
	_, err = bufio.NewReader(site).WriteTo(&text)
	require.NoError(t, err)
	e := emulatortest.Start(t, text.String())
	sees := func(who, id string) bool {
		res := e.Do(who, "GET", "/wiki/api/v2/pages/"+id, "")
		require.NoError(t, res.Body.Close())
		return res.StatusCode == 200
	}
	for _, l := range lines(t) {
		if len(l.Read) > 0 {
			assert.NotEqual(t, sees("u-ann", l.ID) && sees("u-bob", l.ID), true, "%s is restricted, so not for both", l.Title)
		}
	}
	assert.True(t, sees("u-ann", "1029"))
	assert.False(t, sees("u-bob", "1029"))
	assert.True(t, sees("u-bob", "1057"))
	assert.False(t, sees("u-ann", "1057"))
}

func TestPeopleAreThoseWithAToken(t *testing.T) {
	people, err := demo.People()
	require.NoError(t, err)
	names := []string{}
	for _, p := range people {
		assert.NotEmpty(t, p.ID+p.Email+p.Name)
		assert.NotEmpty(t, p.Token, p.Username)
		names = append(names, p.Username)
	}
	for _, who := range []string{"ann", "bob", "mirror"} {
		assert.True(t, slices.Contains(names, who), who)
	}
}
