package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
)

const head = "version: 1\nname: bad\ngroups: {pages: {level: read_write}}\n" // three lines

func TestBadProfiles(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"empty", "", "p.yaml:1:1: broken YAML: the file is empty"},
		{"broken YAML", "version: 1\n\tname: x\n", "p.yaml:2:1: broken YAML: "},
		{"unclosed flow", "version: 1\nname: [a, b\n", "p.yaml:"},
		{"not a mapping", "- a\n- b\n", "p.yaml:1:1: got array, want object"},
		{"second document", head + "---\nversion: 1\n", "p.yaml:4:1: a second document starts here"},
		{"G06 zero byte", head + "# \x00\n", "zero byte"},
		{"G06 too large", head + "# " + strings.Repeat("x", 256<<10), "at most 262144 are read"},
		{"G06 unknown key", head + "grops: {}\n", `p.yaml:4:1: unknown key "grops"`},
		{"unknown key inside", "version: 1\nname: bad\ngroups:\n  pages: {level: read_only, lvl: 1}\n", `p.yaml:4:29: unknown key "groups.pages.lvl"`},
		{"unknown group", "version: 1\nname: bad\ngroups:\n  admin: {level: read_only}\n", `p.yaml:4:3: unknown key "groups.admin"`},
		{"G06 duplicate key", head + "name: again\n", `p.yaml:4:1: key "name" was already given on line 2`},
		{"duplicate key inside", "version: 1\nname: bad\ngroups:\n  pages: {level: read_only}\n  pages: {level: read_write}\n", `p.yaml:5:3: key "pages" was already given on line 4`},
		{"G06 anchor", "version: 1\nname: bad\ngroups:\n  pages: &a {level: read_only}\n", "p.yaml:4:10: anchors and aliases are refused"},
		{"alias", "version: 1\nname: bad\ngroups:\n  pages: &a {level: read_only}\n  spaces: *a\n", "p.yaml:5:11: anchors and aliases are refused"},
		{"merge key", "version: 1\nname: bad\ngroups:\n  pages:\n    <<: {level: read_only}\n", "p.yaml:5:5: merge keys are refused"},
		{"tag", head + "description: !!binary aGk=\n", "p.yaml:4:14: explicit tags are refused"},
		{"list as key", head + "? [a]\n: b\n", "p.yaml:4:3: a key is plain text"},
		{"missing value", head + "description:\n", "p.yaml:4:13: the value is missing"},
		{"missing name", "version: 1\ngroups: {}\n", "p.yaml:1:1: missing property 'name'"},
		{"wrong version", "version: 2\nname: bad\ngroups: {}\n", "p.yaml:1:10: version: value must be 1"},
		{"bad name", "version: 1\nname: Bad Name\ngroups: {}\n", "p.yaml:2:7: name: 'Bad Name' does not match pattern"},
		{"wrong type", "version: 1\nname: bad\ngroups: {pages: {level: read_only, allow_delete: 1}}\n", "p.yaml:3:50: groups.pages.allow_delete: got number, want boolean"},
		{"unknown level", "version: 1\nname: bad\ngroups: {pages: {level: write}}\n", "p.yaml:3:25: groups.pages.level: value must be one of"},
		{"number out of range", head + "limits: {writes_per_minute: 99999999999999999999}\n", "p.yaml:4:29: limits.writes_per_minute: maximum"},
		{"not a number", head + "limits: {writes_per_minute: .nan}\n", "p.yaml:4:29: the number is out of range"},
		{"negative limit", head + "limits: {deletes_per_day: -1}\n", "p.yaml:4:27: limits.deletes_per_day: minimum: got -1, want 0"},
		{"rule id twice", head + "rules:\n  - {id: r1, effect: deny}\n  - {id: r1, effect: deny}\n", `p.yaml:6:10: rule id "r1" is used twice`},
		{"rule id", head + "rules:\n  - {id: R, effect: deny}\n", "p.yaml:5:10: rules.0.id: 'R' does not match"},
		{"G03 effect", head + "rules:\n  - {id: r1, effect: allow}\n", "p.yaml:5:22: rules.0.effect: value must be one of 'deny', 'require_approval'"},
		{"approval of reads", head + "rules:\n  - {id: r1, effect: require_approval, match: {actions: [read]}}\n", "p.yaml:5:58: rules.0.match.actions.0: value must be one of 'create', 'update', 'delete'"},
		{"empty match list", head + "rules:\n  - {id: r1, effect: deny, match: {groups: []}}\n", "p.yaml:5:44: rules.0.match.groups: minItems: got 0, want 1"},
		{"does not parse", head + "rules:\n  - id: r1\n    when: resource.space_key ==\n    effect: deny\n", "p.yaml:6:32: rule r1: Syntax error"},
		{"unknown variable", head + "rules:\n  - id: r1\n    when: resource.spacekey == \"X\"\n    effect: deny\n", "p.yaml:6:11: rule r1: undeclared reference to 'resource'"},
		{"unknown function", head + "rules:\n  - id: r1\n    when: 'read_file(\"x\") == \"\"'\n    effect: deny\n", "p.yaml:6:21: rule r1: undeclared reference to 'read_file'"},
		{"type error", head + "rules:\n  - id: r1\n    when: 'true && resource.version == \"3\"'\n    effect: deny\n", "p.yaml:6:37: rule r1: found no matching overload for '_==_'"},
		{"literal block", head + "rules:\n  - id: r1\n    when: |\n      true &&\n        resource.versio == 3\n    effect: deny\n", "p.yaml:8:9: rule r1: undeclared reference"},
		{"not a bool", head + "rules:\n  - id: r1\n    when: resource.version + 1\n    effect: deny\n", "p.yaml:6:11: rule r1: the expression has type int; a condition is a bool"},
		{"dynamic result", head + "rules:\n  - id: r1\n    when: dyn(resource.restricted)\n    effect: deny\n", "the expression has type dyn"},
		{"bad pattern", head + "rules:\n  - id: r1\n    when: resource.title.matches(\"(\")\n    effect: deny\n", "p.yaml:6:34: rule r1: invalid matches argument"},
		{"pattern from data", head + "rules:\n  - id: r1\n    when: resource.title.matches(change.title)\n    effect: deny\n", "the pattern of matches must be a literal"},
		{"G04 64 KiB pattern", head + "rules:\n  - id: r1\n    when: resource.title.matches(\"" + strings.Repeat("a", 64<<10) + "\")\n    effect: deny\n", "rules.0.when: maxLength"},
		{"G04 pattern that explodes", head + "rules:\n  - id: r1\n    when: resource.title.matches(\"((a{1,100}){1,100}){1,100}\")\n    effect: deny\n", "p.yaml:6:"},
		{"pattern that is too large", head + "rules:\n  - id: r1\n    when: resource.title.matches(\"(abcdefghij){200}\")\n    effect: deny\n", "the pattern compiles to"},
		{"growing text", head + "rules:\n  - id: r1\n    when: resource.title.replace(\"a\", \"aa\") == \"\"\n    effect: deny\n", "replace is not offered"},
		{"too dear", head + "rules:\n  - id: r1\n    when: identity.groups.exists(g, resource.labels.exists(l, l == g))\n    effect: deny\n", "the worst case costs"},
		{"loops too deep", head + "rules:\n  - id: r1\n    when: '[1].exists(a, [1].exists(b, [1].exists(c, a == b && b == c)))'\n    effect: deny\n", "rule r1: comprehension exceeds nesting limit"},
		{"nested too deep", head + "rules:\n  - id: r1\n    when: " + strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300) + "\n    effect: deny\n", "rule r1: "},
		{"test of an unknown rule", head + "tests:\n  - {name: a, given: {tool: get_page}, expect: {effect: deny, rule: r9}}\n", `there is no rule "r9"`},
		{"test of a tool without a cell", head + "tests:\n  - {name: a, given: {tool: do_things}, expect: {effect: deny}}\n", `does not say what it does; give group and action`},
		{"test with an unknown field", head + "tests:\n  - {name: a, given: {tool: get_page, resource: {space: X}}, expect: {effect: deny}}\n", `p.yaml:5:50: unknown key "tests.0.given.resource.space"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := policy.Parse("p.yaml", []byte(c.text))
			var problems profile.Problems
			require.ErrorAs(t, err, &problems)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func TestAllRulesTogetherAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "  - {id: r%d, when: 'identity.groups.exists(g, g == \"x%d\")', effect: deny}\n", i, i)
	}
	_, err := policy.Parse("p.yaml", []byte(head+"rules:\n"+b.String()))
	require.ErrorContains(t, err, "the worst case of all rules costs")

	_, err = policy.Parse("p.yaml", []byte(head+"rules:\n"+b.String()+"  - {id: r200, effect: deny}\n"))
	require.ErrorContains(t, err, "maxItems: got 201, want 200")
}

func TestLoadRefusesAllWhenOneIsBad(t *testing.T) {
	good := &fstest.MapFile{Data: []byte(openGroups)}
	cases := map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"bad beside good":  {fstest.MapFS{"a.yaml": good, "b.yaml": {Data: []byte("x: 1\n")}}, "b.yaml:1:1: "},
		"same name twice":  {fstest.MapFS{"a.yaml": good, "b.yaml": good}, `profile "open" is already in a.yaml`},
		"test that fails":  {fstest.MapFS{"a.yaml": {Data: []byte(openGroups + "tests:\n  - {name: t, given: {tool: get_page}, expect: {effect: deny}}\n")}}, `a.yaml:10:5: test "t": want deny, got allow (allowed)`},
		"10 MB":            {fstest.MapFS{"a.yaml": {Data: make([]byte, 10<<20)}}, "at most 262144"},
		"a folder as file": {fstest.MapFS{"a.yaml/x": good}, "a.yaml"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set, err := policy.Load(c.files)
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, set)
		})
	}
	later := fstest.MapFS{"z.yaml": {Data: []byte(strings.Replace(openGroups, "search: {level: read_only}", "search: {level: disabled}", 1))}}
	set, err := policy.Load(fstest.MapFS{"a.yaml": good}, later)
	require.NoError(t, err)
	assert.False(t, set.Visible("open", policy.Search, policy.Read), "a later layer replaces a profile")
}

func TestRevisionIgnoresLayout(t *testing.T) {
	one, err := policy.Parse("a.yaml", []byte(openGroups))
	require.NoError(t, err)
	two, err := policy.Parse("b.yaml", []byte("# a comment\n"+strings.ReplaceAll(openGroups, "{level: read_only}", "{\"level\": 'read_only', allow_delete: false}")))
	require.NoError(t, err)
	three, err := policy.Parse("c.yaml", []byte(strings.Replace(openGroups, "users: {level: read_only}", "users: {level: disabled}", 1)))
	require.NoError(t, err)
	assert.Equal(t, one.Revision(), two.Revision())
	assert.NotEqual(t, one.Revision(), three.Revision())
}
