package rendered_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/rendered"
	"confluence-mcp/internal/emulator/site"
)

const people = `{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann Arbor","email":"ann@acme.test","groups":["staff"],"token":"a"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob Bright","email":"bob@acme.test","groups":["staff"],"token":"b"}
{"kind":"space","id":"100","key":"ENG","name":"Engineering","grants":[{"to":"group:staff","op":"write"},{"to":"anonymous","op":"read"}]}
{"kind":"space","id":"200","key":"HR","name":"People","grants":[{"to":"user:u-ann","op":"write"}]}
{"kind":"content","id":"1","type":"page","space":"ENG","title":"Home","storage":"<p>home</p>"}
{"kind":"content","id":"2","type":"page","space":"ENG","parent":"1","title":"Plans","read":["user:u-ann"],"storage":"<p>zeppelin</p><ac:structured-macro ac:name=\"excerpt\"><ac:parameter ac:name=\"hidden\">true</ac:parameter><ac:rich-text-body><p>by autumn</p></ac:rich-text-body></ac:structured-macro><ac:structured-macro ac:name=\"excerpt\"><ac:parameter ac:name=\"name\">cost</ac:parameter><ac:rich-text-body><p>a million</p></ac:rich-text-body></ac:structured-macro>"}
{"kind":"content","id":"3","type":"page","space":"HR","title":"Salaries","storage":"<p>numbers</p>"}
{"kind":"content","id":"4","type":"page","space":"ENG","parent":"1","title":"Ring","storage":"<p>round</p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Back\"/></ac:link></ac:parameter></ac:structured-macro>"}
{"kind":"content","id":"5","type":"page","space":"ENG","parent":"1","title":"Back","storage":"<p>trip</p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Ring\"/></ac:link></ac:parameter></ac:structured-macro>"}
{"kind":"content","id":"6","type":"page","space":"ENG","parent":"1","title":"Through","storage":"<p>open</p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Plans\"/></ac:link></ac:parameter></ac:structured-macro>"}
`

// as renders a body of the home page as a user sees it.
func as(t *testing.T, user, storage string) string {
	t.Helper()
	s := site.New(site.Config{Now: time.Now})
	require.NoError(t, s.Load(strings.NewReader(people)))
	var out string
	s.Read(user, func(v *site.View) {
		home, ok := v.Content("1")
		require.True(t, ok)
		out = rendered.Body(v, home, storage)
	})
	return out
}

func macro(name, parameters string) string {
	return `<ac:structured-macro ac:name="` + name + `">` + parameters + `</ac:structured-macro>`
}

func of(title string) string { return inSpace("", title) }

func inSpace(key, title string) string {
	if key != "" {
		key = ` ri:space-key="` + key + `"`
	}
	return `<ac:parameter ac:name=""><ac:link><ri:page` + key + ` ri:content-title="` + title + `"/></ac:link></ac:parameter>`
}

const lost = `<div class="error"><span class="error">Unable to render {include}</span> The included page could not be found.</div>`

// What is taken from another page is there by the rights of who asks.
func TestIncludesAreExpandedByTheAskersRights(t *testing.T) {
	panel := func(title, text string) string {
		return `<div class="panel"><div class="panelHeader"><b>` + title + `</b></div><div class="panelContent">` + text + "</div></div>"
	}
	unnamed, named := "<p>by autumn</p>", `<ac:parameter ac:name="name">cost</ac:parameter>`
	noPanel := `<ac:parameter ac:name="nopanel">true</ac:parameter>`
	denied := func(user, page string) string {
		return `<div class="error"><span class="error">Error rendering macro &#39;excerpt-include&#39;</span> : User &#39;` + user + `&#39; does not have permission to view the page &#39;` + page + `&#39;.</div>`
	}
	for name, tc := range map[string]struct{ storage, ann, bob, nobody string }{
		"a restricted page":      {"<p>a</p>" + macro("include", of("Plans")), "<p>a</p><p>zeppelin</p><p>a million</p>", "<p>a</p>" + lost, "<p>a</p>" + lost},
		"in any case":            {macro("include", of("pLANS")), "<p>zeppelin</p><p>a million</p>", lost, lost},
		"a page of a shut space": {macro("include", inSpace("HR", "Salaries")), "<p>numbers</p>", lost, lost},
		"named in words":         {macro("include", `<ac:parameter ac:name="">HR:Salaries</ac:parameter>`), "<p>numbers</p>", lost, lost},
		"no such page":           {macro("include", of("Nowhere")), lost, lost, lost},
		"of nothing":             {macro("include", ""), lost, lost, lost},
		"through an open page": {macro("include", of("Through")), "<p>open</p><p>zeppelin</p><p>a million</p>",
			"<p>open</p>" + lost, "<p>open</p>" + lost},
		"an excerpt":              {macro("excerpt-include", of("Plans")), panel("Plans", unnamed), denied("u-bob", "ENG:Plans"), denied("null", "ENG:Plans")},
		"an excerpt by name":      {macro("excerpt-include", of("Plans")+named+noPanel), "<p>a million</p>", denied("u-bob", "ENG:Plans"), denied("null", "ENG:Plans")},
		"an excerpt nobody wrote": {macro("excerpt-include", of("Through")), panel("Through", ""), panel("Through", ""), panel("Through", "")},
		"children": {macro("children", ""), `<ul class="childpages-macro"><li><a href="/wiki/spaces/ENG/pages/2/Plans">Plans</a></li><li><a href="/wiki/spaces/ENG/pages/4/Ring">Ring</a></li><li><a href="/wiki/spaces/ENG/pages/5/Back">Back</a></li><li><a href="/wiki/spaces/ENG/pages/6/Through">Through</a></li></ul>`,
			`<ul class="childpages-macro"><li><a href="/wiki/spaces/ENG/pages/4/Ring">Ring</a></li><li><a href="/wiki/spaces/ENG/pages/5/Back">Back</a></li><li><a href="/wiki/spaces/ENG/pages/6/Through">Through</a></li></ul>`,
			`<ul class="childpages-macro"><li><a href="/wiki/spaces/ENG/pages/4/Ring">Ring</a></li><li><a href="/wiki/spaces/ENG/pages/5/Back">Back</a></li><li><a href="/wiki/spaces/ENG/pages/6/Through">Through</a></li></ul>`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.ann, as(t, "u-ann", tc.storage))
			assert.Equal(t, tc.bob, as(t, "u-bob", tc.storage))
			assert.Equal(t, tc.nobody, as(t, "", tc.storage))
		})
	}
	missing := as(t, "u-bob", macro("excerpt-include", of("Nowhere")))
	assert.Contains(t, missing, "No link could be created for &#39;Nowhere&#39;.", "unlike a hidden one, as in the real one")
}

func TestPagesThatIncludeEachOtherEnd(t *testing.T) {
	assert.Equal(t, `<p>round</p><p>trip</p><div class="error"><span class="error">Unable to render {include}</span> Already included page &#39;Ring&#39;, stopping</div>`,
		as(t, "u-bob", macro("include", of("Ring"))))
	assert.Contains(t, as(t, "u-bob", macro("include", of("Home"))), "Already included page")
	assert.Contains(t, as(t, "u-bob", macro("excerpt-include", of("Home"))), "Already included page")
}

// A link without words of its own shows the name of what it leads to.
func TestLinks(t *testing.T) {
	for name, tc := range map[string]struct{ storage, ann, bob string }{
		"a page":                {`<ac:link><ri:page ri:content-title="Ring"/></ac:link>`, `<a href="/wiki/spaces/ENG/pages/4/Ring">Ring</a>`, `<a href="/wiki/spaces/ENG/pages/4/Ring">Ring</a>`},
		"a hidden page":         {`<ac:link><ri:page ri:content-title="Plans"/></ac:link>`, `<a href="/wiki/spaces/ENG/pages/2/Plans">Plans</a>`, "Plans"},
		"no page":               {`<ac:link><ri:page ri:content-title="A &amp; B"/></ac:link>`, "A &amp; B", "A &amp; B"},
		"words":                 {`<ac:link><ri:page ri:content-title="Ring"/><ac:link-body>the <b>ring</b></ac:link-body></ac:link>`, `<a href="/wiki/spaces/ENG/pages/4/Ring">the <b>ring</b></a>`, `<a href="/wiki/spaces/ENG/pages/4/Ring">the <b>ring</b></a>`},
		"plain words":           {`<ac:link><ri:page ri:content-title="Nowhere"/><ac:plain-text-link-body><![CDATA[a < b]]></ac:plain-text-link-body></ac:link>`, "a &lt; b", "a &lt; b"},
		"another space":         {`<ac:link><ri:page ri:space-key="HR" ri:content-title="Salaries"/></ac:link>`, `<a href="/wiki/spaces/HR/overview">Salaries</a>`, "Salaries"},
		"a place on a page":     {`<ac:link ac:anchor="x"><ri:page ri:content-title="Ring"/></ac:link>`, `<a href="/wiki/spaces/ENG/pages/4/Ring#x">Ring</a>`, `<a href="/wiki/spaces/ENG/pages/4/Ring#x">Ring</a>`},
		"a place on this page":  {`<ac:link ac:anchor="x"/>`, `<a href="#x">x</a>`, `<a href="#x">x</a>`},
		"a user":                {`<ac:link><ri:user ri:account-id="u-bob"/></ac:link>`, `<a href="/wiki/people/u-bob">Bob Bright</a>`, `<a href="/wiki/people/u-bob">Bob Bright</a>`},
		"nobody":                {`<ac:link><ri:user ri:account-id="u-x"/></ac:link>`, "Unknown User", "Unknown User"},
		"a file":                {`<ac:link><ri:attachment ri:filename="a.txt"/></ac:link>`, "a.txt", "a.txt"},
		"a blog post":           {`<ac:link><ri:blog-post ri:content-title="News" ri:posting-day="2026/01/01"/></ac:link>`, "News", "News"},
		"an address":            {`<ac:link><ri:url ri:value="https://x.example/?a&amp;b"/></ac:link>`, `<a href="https://x.example/?a&amp;b">https://x.example/?a&amp;b</a>`, `<a href="https://x.example/?a&amp;b">https://x.example/?a&amp;b</a>`},
		"a space":               {`<ac:link><ri:space ri:space-key="HR"/></ac:link>`, `<a href="/wiki/spaces/HR">People</a>`, "HR"},
		"nothing":               {`<ac:link/>`, "", ""},
		"a body that is broken": {`<ac:link><ri:page ri:content-title="Plans"/></ac:link><p>x`, "<p>x", "<p>x"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.ann, as(t, "u-ann", tc.storage))
			assert.Equal(t, tc.bob, as(t, "u-bob", tc.storage))
		})
	}
}
