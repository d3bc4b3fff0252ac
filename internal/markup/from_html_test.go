package markup_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

// What Confluence renders, in the shapes of its export view.
func TestWhatConfluenceRendersIsRead(t *testing.T) {
	for name, c := range map[string]struct{ html, want string }{
		"a note": {`<div class="confluence-information-macro confluence-information-macro-note conf-macro output-block" data-hasbody="true" data-macro-name="note"><p class="title">Careful</p>` +
			`<span class="aui-icon aui-icon-small aui-iconfont-warning confluence-information-macro-icon"></span><div class="confluence-information-macro-body"><p>Mind the <b>gap</b>.</p></div></div>`,
			"> [!IMPORTANT] Careful\n> Mind the **gap**."},
		"an info without a title": {`<div class="confluence-information-macro confluence-information-macro-information"><div class="confluence-information-macro-body"><p>So.</p></div></div>`, "> [!NOTE]\n> So."},
		"a panel":                 {`<div class="panel" style="border-width: 1px;"><div class="panelHeader"><b>Head</b></div><div class="panelContent"><p>In.</p></div></div>`, "> [!PANEL] Head\n> In."},
		"tasks": {`<ul class="inline-task-list" data-inline-tasks-content-id="1"><li class="checked" data-inline-task-id="1"><span>Drain</span></li><li data-inline-task-id="2"><span class="placeholder-inline-tasks">Seal</span></li></ul>`,
			"- [x] Drain\n- [ ] Seal"},
		"a status": {`<p>Now <span class="status-macro aui-lozenge aui-lozenge-success conf-macro output-inline">DONE</span>.</p>`, "Now [DONE](confluence:status/Green)."},
		"code": {`<div class="code panel pdl conf-macro output-block"><div class="codeContent panelContent pdl"><pre class="syntaxhighlighter-pre" data-syntaxhighlighter-params="brush: java; gutter: false">int a &lt; 1;` + "\n" + `b();</pre></div></div>`,
			"```java\nint a < 1;\nb();\n```"},
		"an expand": {`<div id="expander-1" class="expand-container"><div class="expand-control"><span class="expand-control-icon"><img class="expand-control-image" src="/x.gif"/></span><span class="expand-control-text">More</span></div><div class="expand-content"><p>Here.</p></div></div>`,
			"<details>\n<SUMMARY>More</SUMMARY>\n\nHere.\n\n</details>"},
		"toc": {`<style>[data-colorid=a]{color:red}</style><div class="toc-macro rbtoc1"><ul class="toc-indentation"><li><a href="#Start">Start</a><ul><li><a href="#Deep">Deep</a></li></ul></li></ul></div>`,
			"- [Start](#Start)\n  - [Deep](#Deep)"},
		"children": {`<ul class="childpages-macro"><li><a href="/wiki/spaces/ENG/pages/2/Two">Two</a></li><li><a href="/wiki/spaces/ENG/pages/3/Three">Three</a></li></ul>`,
			"- [Two](/wiki/spaces/ENG/pages/2/Two)\n- [Three](/wiki/spaces/ENG/pages/3/Three)"},
		"a Jira issue": {`<p><span class="jira-issue" data-jira-key="OPS-1"><a href="https://jira.example.org/browse/OPS-1" class="jira-issue-key"><img class="icon" src="https://jira.example.org/i.png"/>OPS-1</a> - <span class="summary">Pump leaks</span> <span class="aui-lozenge jira-macro-single-issue-export-pdf">Open</span></span></p>`,
			"[OPS-1](https://jira.example.org/browse/OPS-1) - Pump leaks Open"},
		"a Jira table": {`<div class="table-wrap"><table class="aui"><tr><th class="jira-macro-table">Key</th><th>Summary</th></tr><tr><td><a href="https://jira.example.org/browse/OPS-1">OPS-1</a></td><td>Pump<br>leaks</td></tr></table></div>`,
			"| Key | Summary |\n| --- | --- |\n| [OPS-1](https://jira.example.org/browse/OPS-1) | Pump<br>leaks |"},
		"a picture":         {`<p><span class="confluence-embedded-file-wrapper"><img class="confluence-embedded-image" src="https://x.example.org/d/pump.png" data-linked-resource-default-alias="pump.png"></span></p>`, "![pump.png](confluence:attachment/pump.png)"},
		"what runs":         {`<p>a</p><script>alert(1)</script><style>p{}</style><p><a href="javascript:alert(1)">b</a></p>`, "a\n\nb"},
		"not closed":        {`<p>a<ul><li>b<li>c</ul>d &amp; &nbsp;e<br>f`, ""},
		"nothing":           {``, ""},
		"hidden characters": {"<p>a\u200bb</p>", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := markup.Parse(markup.FromHTML(c.html))
			require.NoError(t, err, "well-formed, whatever the HTML was")
			got := strings.TrimSpace(d.Markdown(markup.View{}).Text)
			if c.want != "" {
				assert.Equal(t, c.want, got)
			}
		})
	}
}

func TestAnyHTMLIsRead(t *testing.T) {
	deep := strings.Repeat("<div>", 3000) + "text"
	for _, s := range []string{deep, strings.Repeat("<b><i>", 400) + "x", "<<<>>>&#0;&bogus;", "<table><td>a<table><td>b", "<p title='\x01'>\x02</p>", "]]><![CDATA[x]]>", `<pre data-syntaxhighlighter-params="brush: a]]>b">]]></pre>`} {
		d, err := markup.Parse(markup.FromHTML(s))
		assert.NoError(t, err, s[:min(len(s), 40)])
		assert.NotNil(t, d)
	}
}
