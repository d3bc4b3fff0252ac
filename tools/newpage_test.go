package tools_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/markup"
)

// everyFeature is Markdown with all of Confluence that a new page may need.
const everyFeature = "[toc](confluence:macro/toc)\n\n" +
	"# Restart\n\n" +
	"> [!NOTE]\n> Read **this** first.\n\n" +
	"> [!WARNING]\n> It is hot.\n\n" +
	"State: [IN PROGRESS](confluence:status/Blue), due [2026-03-14](confluence:date), ask [@Bob](confluence:user/u-bob).\n\n" +
	"- [ ] Check the seal\n- [x] Open the valve\n\n" +
	"<details>\n<summary>More</summary>\n\nHidden *away*.\n\n</details>\n\n" +
	"```bash\nsystemctl restart pump\n```\n\n" +
	"See [Runbook](BASE/display/ENG/Runbook) and [the rules](confluence:page/ENG/House%20rules).\n\n" +
	"![Pump](pump.png)\n\n" +
	"<!-- macro:details -->\n\n| Owner | Ann |\n| --- | --- |\n| Team | Ops |\n\n<!-- /macro -->\n\n" +
	"```confluence new children\ndepth=2\n```\n\n" +
	"| a | b |\n| --- | --- |\n| 1 | 2 |\n"

func TestANewPageHasConfluencesOwnFeatures(t *testing.T) {
	d, e := emulated(t, "u-ann")
	md := strings.ReplaceAll(everyFeature, "BASE", e.URL)
	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Features", "body": md})
	id := out["id"].(string)
	body := d.stored(id).Body
	for what, want := range map[string]string{
		"contents":         `<ac:structured-macro ac:name="toc"`,
		"note":             `<ac:structured-macro ac:name="info" ac:schema-version="1"><ac:rich-text-body><p>Read <strong>this</strong> first.</p>`,
		"warning":          `<ac:structured-macro ac:name="warning"`,
		"status":           `<ac:parameter ac:name="colour">Blue</ac:parameter><ac:parameter ac:name="title">IN PROGRESS</ac:parameter>`,
		"date":             `<time datetime="2026-03-14" />`,
		"mention":          `<ac:link><ri:user ri:account-id="u-bob" /></ac:link>`,
		"open task":        `<ac:task-status>incomplete</ac:task-status>`,
		"done task":        `<ac:task-status>complete</ac:task-status>`,
		"expand":           `<ac:structured-macro ac:name="expand" ac:schema-version="1"><ac:parameter ac:name="title">More</ac:parameter>`,
		"code":             `<ac:parameter ac:name="language">bash</ac:parameter>`,
		"page by address":  `<ri:page ri:space-key="ENG" ri:content-title="Runbook" />`,
		"page by name":     `<ri:page ri:space-key="ENG" ri:content-title="House rules" />`,
		"attached picture": `<ri:attachment ri:filename="pump.png" />`,
		"page properties":  `<ac:structured-macro ac:name="details"`,
		"a macro":          `<ac:structured-macro ac:name="children" ac:schema-version="2"><ac:parameter ac:name="depth">2</ac:parameter>`,
		"table":            `<th>`,
	} {
		assert.Contains(t, body, want, what)
	}

	// What was written can be read and every part of it be changed by its handle.
	page, err := markup.Parse(body)
	assert.NoError(t, err)
	handles := map[string]string{}
	for _, b := range page.Markdown(markup.View{}).Blocks {
		if handles[b.Kind] == "" || b.Kind == "paragraph" && strings.HasPrefix(b.Text, "State") {
			handles[b.Kind] = b.Handle
		}
	}
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 1, "message": "all at once", "edits": []args{
		{"op": "set_status", "handle": handles["paragraph"], "title": "DONE", "colour": "Green"},
		{"op": "set_task", "handle": handles["task"], "done": true},
		{"op": "set_property", "key": "Owner", "markdown": "Bob"},
		{"op": "set_property", "key": "Reviewer", "markdown": "Cid"},
		{"op": "set_cell", "table": "2", "row": "1", "column": "b", "markdown": "**3**"},
		{"op": "add_row", "table": "2", "markdown": "| 4 | 5 |"},
		{"op": "replace_text", "find": "systemctl restart", "replace": "systemctl reload"},
		{"op": "insert", "after": "Restart", "markdown": "Shortly."},
		{"op": "append", "markdown": "## Aftermath\n\nAll well."},
	}})
	assert.Equal(t, float64(2), out["version"])
	body = d.stored(id).Body
	for _, want := range []string{`ac:name="colour">Green<`, `ac:name="title">DONE<`, "Bob", "Cid", "<strong>3</strong>", "reload pump", "<p>Shortly.</p>", "<h2>Aftermath</h2><p>All well.</p>"} {
		assert.Contains(t, body, want)
	}
	assert.NotContains(t, body, ">incomplete<")
	d.ok("update_page", args{"page_id": id, "base_version": 2, "edits": []args{{"op": "move", "handle": "Aftermath", "before": "Restart"}}})
	d.ok("update_page", args{"page_id": id, "base_version": 3, "edits": []args{{"op": "replace_section", "heading": "Aftermath", "markdown": "All very well."}}})
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 4, "dry_run": true, "edits": []args{{"op": "delete", "section": "Aftermath"}}})
	assert.Len(t, out["touched"], 2)
	assert.Equal(t, float64(5), out["new_version"])
	assert.Contains(t, out["diff"], "-All very well.")
	assert.Positive(t, out["body_bytes"])
	e2 := d.fails("input.loss", "update_page", args{"page_id": id, "base_version": 4, "dry_run": true, "edits": []args{{"op": "delete", "section": "Restart"}}})
	assert.Contains(t, e2.Message, "macro")
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 4, "dry_run": true, "allow_loss": []string{"toc"}, "edits": []args{{"op": "replace_section", "heading": "Aftermath", "markdown": "Fine."}}})
	assert.Empty(t, out["losses"])

	r, _ := d.ok("get_page_diff", args{"page_id": id, "from_version": 1})
	assert.Contains(t, r.Text, "+All very well.")
	assert.Contains(t, r.Text, "reload pump")
	r, _ = d.ok("get_page", args{"page_id": id, "version": 1})
	assert.Contains(t, r.Text, "systemctl restart pump")
}
