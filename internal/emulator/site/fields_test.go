package site

// In the package: what a line may hold is in its unexported types.

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheTableOfFieldsIsWhatTheLoaderDoes: every field stands in it, and a line
// that leaves it out is the line that has the value of the table.
func TestTheTableOfFieldsIsWhatTheLoaderDoes(t *testing.T) {
	lines := map[string]any{"site": siteLine{}, "group": groupLine{}, "user": userLine{}, "space": spaceLine{}, "content": contentLine{}, "template": templateLine{}}
	least := map[string]map[string]any{
		"site": {}, "group": {"name": "n"}, "user": {"id": "u"}, "space": {"id": "1", "key": "K"},
		"content": {"id": "5", "space": "K", "title": "T"}, "template": {"id": "7", "name": "N"},
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	words := map[string]any{"g-NAME": "g-n", "its id": "u", "its username": "u", "its key": "K", "its parent's": "K", "now": at, "as created": at}

	listed, whole := map[string][]string{}, map[string]map[string]any{}
	for kind, given := range least {
		whole[kind] = maps.Clone(given)
	}
	column := regexp.MustCompile(`\s{2,}`)
	for row := range strings.Lines(Fields) {
		cells := column.Split(strings.TrimSpace(row), -1)
		if len(cells) < 3 || lines[cells[0]] == nil {
			continue // the heading, and second lines of what is taken
		}
		kind, field, left := cells[0], cells[1], cells[2]
		listed[kind] = append(listed[kind], field)
		if _, given := least[kind][field]; given {
			assert.Contains(t, []string{"needed", "its parent's"}, left, "%s %s", kind, field)
			continue
		}
		value, word := words[left]
		if !word {
			require.NoError(t, json.Unmarshal([]byte(left), &value), row)
		}
		whole[kind][field] = value
	}
	for kind, line := range lines {
		var fields []string
		for i := range reflect.TypeOf(line).NumField() {
			if name := reflect.TypeOf(line).Field(i).Tag.Get("json"); name != "kind" {
				fields = append(fields, name)
			}
		}
		assert.ElementsMatch(t, fields, listed[kind], kind)
	}
	loaded := func(given map[string]map[string]any) *Site {
		s := New(Config{Now: func() time.Time { return at }})
		var file strings.Builder
		for _, kind := range slices.Sorted(maps.Keys(given)) {
			line := maps.Clone(given[kind])
			line["kind"] = kind
			raw, err := json.Marshal(line)
			require.NoError(t, err)
			file.Write(append(raw, '\n'))
		}
		require.NoError(t, s.Load(strings.NewReader(file.String())))
		return s
	}
	assert.Equal(t, inWords(loaded(whole)), inWords(loaded(least)))
}

func inWords(s *Site) string {
	return fmt.Sprintf("%q %s %v %s\n%+v\n%+v\n%+v\n%+v\n%+v\n", s.name, s.cloudID, s.anonymous, s.roleMode,
		*s.groups["g-n"], *s.users["u"], *s.spaces["1"], *s.contents["5"], *s.templates["7"])
}
