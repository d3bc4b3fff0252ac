package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/emulator"
	"confluence-mcp/tools"
)

// matrixArgs are the arguments of one call about a target.
type matrixArgs func(p matrixPage) map[string]any

// matrixCalls are calls of every tool, in each way that takes another route.
func matrixCalls() map[string][]matrixArgs {
	of := func(pairs ...any) matrixArgs {
		return func(p matrixPage) map[string]any {
			out := map[string]any{}
			for i := 0; i < len(pairs); i += 2 {
				value := pairs[i+1]
				if text, ok := value.(string); ok {
					value = strings.NewReplacer("PAGE", p.page, "COMMENT", p.comment, "FILE", "att"+p.file).Replace(text)
				}
				out[pairs[i].(string)] = value
			}
			return out
		}
	}
	page := func(pairs ...any) matrixArgs { return of(append([]any{"page_id", "PAGE"}, pairs...)...) }
	return map[string][]matrixArgs{
		"search":   {of("query", "wordPAGE"), of("query", "*", "cql", `title ~ "wordPAGE"`), of("query", "*", "ancestor_id", "PAGE"), of("query", "*", "cql", "id = PAGE")},
		"get_page": {page(), page("fresh", true), page("mode", "storage", "fresh", true), page("mode", "rendered"), page("version", 1), of("title", "Target wordPAGE", "space_key", "ENG"), of("title", "Target wordPAGE", "space_key", "ENG", "fresh", true)},
		"list_pages": {of("parent_id", "PAGE"), of("space_key", "ENG", "limit", 5), of("label", "cell", "limit", 5),
			of("changed_since", "2026-01-01", "limit", 5)},
		"get_page_history":    {page()},
		"get_page_diff":       {page("from_version", 1)},
		"get_comments":        {page()},
		"get_attachments":     {page()},
		"download_attachment": {of("attachment_id", "FILE")},
		"list_spaces":         {of()},
		"get_space":           {of("space_key", "ENG"), of("space_key", "HR")},
		"search_user":         {of("query", "Ann")},
		"get_user":            {of(), of("user_id", "u-ann"), of("user_id", "u-hal")},
		"get_approval":        {of("approval_id", "none")},

		"create_page":       {of("space_key", "ENG", "title", "New below PAGE", "parent_id", "PAGE", "body", "x"), of("space_key", "ENG", "title", "Copy of PAGE", "parent_id", "1001", "copy_from", "PAGE")},
		"update_page":       {page("base_version", 2, "title", "Renamed wordPAGE"), page("base_version", 2, "edits", []map[string]any{{"op": "append", "markdown": "more"}})},
		"move_page":         {page("target_id", "1001"), of("page_id", "PAGE", "target_id", "3001")},
		"delete_page":       {page()},
		"add_comment":       {page("body", "noted"), page("body", "answered", "parent_id", "COMMENT")},
		"update_comment":    {of("comment_id", "COMMENT", "body", "changed")},
		"delete_comment":    {of("comment_id", "COMMENT")},
		"add_label":         {page("name", "new")},
		"remove_label":      {page("name", "cell")},
		"upload_attachment": {page("filename", "new.txt", "content", "new"), page("filename", "cell.txt", "content", "newer")},
		"delete_attachment": {of("attachment_id", "FILE")},
		"create_space":      {of("key", "KPAGE", "name", "Space PAGE")},
		"update_space":      {of("space_key", "ENG", "description", "about PAGE")},
		"undo":              {of("change_id", "nobodys")}, // and each write that came about is undone
	}
}

// crossing is one call of one caller about one target.
type crossing struct {
	m          *callerMatrix
	caller     matrixCaller
	tool, kind string
	about      string
}

// carries holds that each request of a cell carries the credential it may.
func (c crossing) carries(asked []emulator.Request) {
	for _, r := range asked {
		switch {
		case r.Via == "media":
			assert.Empty(c.m.t, r.User, "%s: a media host gets no credential", c.about)
		case c.caller.own != "":
			assert.Equal(c.m.t, c.caller.own, r.User, "%s: %s %s", c.about, r.Method, r.Path)
		default:
			assert.Contains(c.m.t, []string{"u-bot", ""}, r.User, "%s: %s %s", c.about, r.Method, r.Path)
		}
	}
}

// sees reports whether the caller may see the target.
func (c crossing) sees() bool {
	switch c.caller.name {
	case "other person", "anonymous", "key only":
		return false
	case "without a grant":
		return c.kind != hiddenPage
	}
	return true
}

func (c crossing) read(args matrixArgs) int {
	t, p := c.m.t, c.m.pages[slices.IndexFunc(c.m.pages, func(p matrixPage) bool { return p.kind == c.kind })]
	given := args(p)
	var text string
	failed := false
	asked := c.m.asked(func() {
		r := c.m.call(c.caller, c.tool, given)
		text, failed = r.Text+string(r.Structured), r.IsError
	})
	c.carries(asked)
	assert.Empty(t, slices.DeleteFunc(slices.Clone(asked), reads), "%s: a read changed something", c.about)
	if c.sees() {
		_, old := given["version"]
		_, rendered := given["mode"]
		if given["page_id"] == p.page && !old && !rendered && c.tool != "get_page_diff" {
			assert.False(t, failed, "%s: %s%s", c.about, text, shownRequests(asked))
		}
		return len(asked)
	}
	for _, secret := range []string{"pages/" + p.page, "body of " + p.page, "c2VjcmV0", "said"} {
		assert.NotContains(t, text, secret, c.about)
	}
	for _, r := range asked { // whose file or comment it is has to be asked
		assert.NotRegexp(t, "/(pages|content|blogposts)/"+p.page, r.Path, "%s: a hidden page was asked for", c.about)
	}
	return len(asked)
}

// may reports whether a write must come about.
func (c crossing) may() bool {
	switch {
	case c.tool == "undo":
		return false
	case c.caller.own != "":
		return true
	case c.caller.name != "without a grant" || !c.m.mode.writes || c.kind == hiddenPage && c.tool != "create_space" && c.tool != "update_space":
		return false
	case c.tool == "create_space" || c.tool == "update_space":
		return false
	case c.kind == keptPage:
		return c.tool == "create_page" || c.tool == "add_comment"
	}
	return true
}

// write makes a dry run and the write, and gives how many requests they made.
func (c crossing) write(args matrixArgs) int {
	t, p := c.m.t, c.m.target(c.kind)
	given := args(p)
	given["dry_run"] = true
	n := 0
	for _, dry := range []bool{true, false} {
		if !dry {
			delete(given, "dry_run")
		}
		failed, text, change := false, "", ""
		asked := c.m.asked(func() {
			r := c.m.call(c.caller, c.tool, given)
			failed, text, change = r.IsError, r.Text, changeOf(r)
		})
		n += len(asked)
		c.carries(asked)
		assert.Equal(t, !c.may(), failed, "%s, dry run %t: %s%s", c.about, dry, text, shownRequests(asked))
		first := slices.IndexFunc(asked, func(r emulator.Request) bool { return !reads(r) })
		if dry || failed {
			assert.Negative(t, first, "%s, dry run %t: %s%s", c.about, dry, text, shownRequests(asked))
			continue
		}
		if assert.GreaterOrEqual(t, first, 0, "%s%s", c.about, shownRequests(asked)) && c.caller.own == "" {
			c.checked(asked[:first])
		}
		n += c.undo(change)
	}
	return n
}

// changeOf is what a write is undone by, empty where it gave nothing.
func changeOf(r tools.Result) string {
	var out struct {
		ChangeID string `json:"change_id"`
	}
	if json.Unmarshal(r.Structured, &out) != nil {
		return ""
	}
	return out.ChangeID
}

// undo takes a write back, where that can be done. Another caller cannot.
func (c crossing) undo(change string) int {
	if change == "" {
		return 0
	}
	for _, other := range matrixCallers() {
		if other.who.Principal() != c.caller.who.Principal() && other.own == "" {
			foreign := c.m.asked(func() {
				assert.True(c.m.t, c.m.call(other, "undo", map[string]any{"change_id": change}).IsError, "%s, %s", c.about, other.name)
			})
			assert.Empty(c.m.t, foreign, "%s: undone by %s", c.about, other.name)
			break
		}
	}
	asked := c.m.asked(func() { c.m.call(c.caller, "undo", map[string]any{"change_id": change}) })
	c.carries(asked)
	if first := slices.IndexFunc(asked, func(r emulator.Request) bool { return !reads(r) }); first >= 0 && c.caller.own == "" {
		c.checked(asked[:first])
	}
	return len(asked)
}

// checked holds that the connecting account asked about the caller's rights before
// it wrote, and was told.
func (c crossing) checked(before []emulator.Request) {
	told := slices.ContainsFunc(before, func(r emulator.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/permission/check") && r.Status == http.StatusOK && r.User == "u-bot"
	})
	assert.True(c.m.t, told, "%s: no positive check before the write%s", c.about, shownRequests(before))
}
