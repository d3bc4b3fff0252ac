package wiki_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/wiki"
)

const base = `{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111"}
{"kind":"user","id":"u-ann","username":"ann","email":"ann@acme.test","token":"ann-token"}
{"kind":"space","id":"100","key":"ENG","name":"Engineering","grants":[{"to":"user:u-ann","op":"write"}]}
{"kind":"content","id":"1000","type":"page","space":"ENG","title":"Home","storage":"<h1>Important heading</h1><p>Several lengthy sentences &nbsp;written.</p><ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>Remember everything</ac:task-body></ac:task></ac:task-list>","author":"u-ann"}
{"kind":"content","id":"1001","type":"folder","space":"ENG","parent":"1000","title":"Box","author":"u-ann"}
{"kind":"content","id":"1002","type":"page","space":"ENG","parent":"1001","title":"Inside","storage":"<p>Interesting paragraph without anything.</p><ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">javascript</ac:parameter><ac:plain-text-body><![CDATA[function example() {}]]></ac:plain-text-body></ac:structured-macro>","author":"u-ann","read":["user:u-ann"]}
{"kind":"content","id":"5000","type":"comment","space":"ENG","parent":"1002","storage":"<p>Fine</p>","author":"u-ann"}
{"kind":"content","id":"5001","type":"comment","space":"ENG","parent":"5000","storage":"<p>Thanks</p>","author":"u-ann"}
{"kind":"content","id":"6000","type":"attachment","space":"ENG","parent":"1000","title":"a.txt","media_type":"text/plain","data":"eA==","author":"u-ann"}
`

func grow(t *testing.T, g wiki.Growth) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, wiki.Grow(&out, strings.NewReader(base), g))
	return out.Bytes()
}

func TestAnySiteGrows(t *testing.T) {
	raw := grow(t, wiki.Growth{Pages: 30, Seed: 3})
	loads(t, raw)
	assert.Equal(t, raw, grow(t, wiki.Growth{Pages: 30, Seed: 3}))
	var nodes, comments, files []line
	byID := map[string]line{}
	for _, l := range parse(t, raw) {
		byID[l.ID] = l
		switch l.Type {
		case "page", "folder":
			nodes = append(nodes, l)
		case "comment":
			comments = append(comments, l)
		case "attachment":
			files = append(files, l)
		}
	}
	require.Len(t, nodes, 30)
	assert.Len(t, comments, 20)
	assert.Len(t, files, 10)
	for k, n := range nodes[3:] {
		k += 3
		assert.Equal(t, fmt.Sprint(1_000_000+k), n.ID)
		assert.Equal(t, fmt.Sprintf("%s %d", nodes[k%3].Title, k/3), n.Title)
		assert.Equal(t, fmt.Sprintf("ENG%d", k/3), n.Space)
		assert.Equal(t, nodes[k%3].Read, n.Read)
		if n.Type == "page" {
			assert.Contains(t, n.Storage, fmt.Sprintf("<p>Ref zq%x.</p>", mix(3^uint64(k))))
			assert.NoError(t, wellFormed(n.Storage))
		}
	}
	for _, c := range append(comments, files...) {
		assert.Equal(t, byID[c.Parent].Space, c.Space)
	}
}

func TestOnlyWhatAReaderSeesIsReplaced(t *testing.T) {
	changed := false
	for _, l := range pages(parse(t, grow(t, wiki.Growth{Pages: 900}))) {
		if strings.HasPrefix(l.Title, "Home") {
			assert.Contains(t, l.Storage, "<h1>")
			changed = changed || l.Space != "ENG" && !strings.Contains(l.Storage, "Important heading")
			if strings.Contains(l.Storage, "task-list") {
				assert.Contains(t, l.Storage, "<ac:task-status>incomplete</ac:task-status>")
			}
			if strings.Contains(l.Storage, "<p>S") {
				assert.Contains(t, l.Storage, "&nbsp;")
			}
		} else {
			assert.Contains(t, l.Storage, "[CDATA[function example() {}]]")
			assert.Contains(t, l.Storage, ">javascript<")
		}
	}
	assert.True(t, changed, "some words are replaced")
}

func TestASiteThatIsLargeEnoughStays(t *testing.T) {
	assert.Len(t, parse(t, grow(t, wiki.Growth{Pages: 2})), len(parse(t, []byte(base))))
}

func TestCutStorageAtElements(t *testing.T) {
	for _, l := range pages(parse(t, grow(t, wiki.Growth{Pages: 90, Cut: 60}))) {
		require.NoError(t, wellFormed(l.Storage), l.Storage)
		assert.NotContains(t, l.Storage, "task-list")
	}
}

func TestGrowRefusesWhatIsNoJSON(t *testing.T) {
	assert.Error(t, wiki.Grow(io.Discard, strings.NewReader("nope"), wiki.Growth{Pages: 5}))
	assert.Error(t, wiki.Grow(broken{}, strings.NewReader(base), wiki.Growth{Pages: 5}))
}
