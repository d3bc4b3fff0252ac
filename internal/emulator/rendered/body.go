// Package rendered is how the emulated Confluence shows a storage body to people:
// the export, view and styled formats, in which macros have become HTML.
//
// What a body takes from elsewhere (an included page, an excerpt, the pages below
// it, the name of a user) is there only if the user who asks may see it: the
// rendering of one user must not be given to another. It knows nothing of HTTP
// and of the two API generations. Start reading at Body, then macros.go and
// include.go.
package rendered

import (
	"html"
	"regexp"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

// Body is a storage body of on, now or at some version, as the user of the view
// sees it. A body that is not well-formed is shown by [Plain].
func Body(v *site.View, on *site.Content, storage string) string {
	return (&renderer{view: v, on: on, within: []string{on.ID}}).page(storage)
}

var (
	plainBody = regexp.MustCompile(`(?s)<ac:plain-text-body>\s*<!\[CDATA\[(.*?)\]\]>\s*</ac:plain-text-body>`)
	parameter = regexp.MustCompile(`(?s)<ac:(parameter|task-id|task-status|task-uuid)\b[^>]*>.*?</ac:(parameter|task-id|task-status|task-uuid)>`)
	macroTag  = regexp.MustCompile(`</?(?:ac|ri|at):[^>]*>`)
)

// Plain is a storage body without anything that is not HTML: macros are replaced
// by what they contain, their parameters and references are gone.
func Plain(storage string) string {
	out := plainBody.ReplaceAllStringFunc(storage, func(m string) string {
		return "<pre>" + html.EscapeString(plainBody.FindStringSubmatch(m)[1]) + "</pre>"
	})
	return macroTag.ReplaceAllString(parameter.ReplaceAllString(out, ""), "")
}

// renderer writes one page, or one that is included in it.
type renderer struct {
	view   *site.View
	on     *site.Content // whose body it is
	within []string      // ids of the pages around it, itself the last
	root   *element
	out    strings.Builder
}

func (r *renderer) page(storage string) string {
	root, err := elements(storage)
	if err != nil {
		return Plain(storage)
	}
	return r.shown(root, root)
}

// shown renders a part of a body whose whole is root.
func (r *renderer) shown(root, part *element) string {
	r.root = root
	r.kids(part)
	return r.out.String()
}
