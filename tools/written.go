package tools

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"confluence-mcp/internal/confluence"
)

// mayAdd reports whether a macro may be added through this server. Confluence's
// own macros that show text, structure or its own content may; whatever runs
// code or embeds foreign pages may not. Macros a page has already stay.
func mayAdd(macro string) bool {
	return slices.Contains([]string{
		"anchor", "attachments", "blog-posts", "change-history", "chart", "children", "code", "column",
		"content-report-table", "contentbylabel", "contributors", "create-from-template", "decisionreport", "details", "detailssummary",
		"drawio", "excerpt", "excerpt-include", "expand", "favpages", "gallery", "gliffy", "include", "info", "inc-drawio",
		"jira", "jirachart", "labels-list", "livesearch", "loremipsum", "mathblock", "mathinline", "mermaid", "noformat", "note",
		"pagetree", "pagetreesearch", "panel", "plantuml", "popular-labels", "profile", "profile-picture", "recently-updated",
		"related-labels", "roadmap", "section", "space-details", "status", "tasks-report-macro", "tip", "toc", "toc-zone",
		"viewdoc", "view-file", "viewpdf", "viewppt", "viewxls", "warning",
	}, macro)
}

// forbiddenAdded refuses a body that has more dangerous elements, addresses or
// macros than the body it replaces, naming the first.
func forbiddenAdded(before, after string) error {
	was, is := census(before), census(after)
	for _, name := range sortedKeys(is) {
		if is[name] <= was[name] {
			continue
		}
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.forbidden_content",
			Message: fmt.Sprintf("The body adds %s, which this server does not write.", name), Next: "Leave it out. Nothing was changed."}
	}
	return nil
}

// census counts what [forbiddenAdded] refuses. CDATA is text and not looked at.
func census(storage string) map[string]int {
	out := map[string]int{}
	z := html.NewTokenizer(strings.NewReader(dropCDATA(storage)))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken, html.SelfClosingTagToken:
			countTag(out, z.Token())
		}
	}
}

func countTag(out map[string]int, t html.Token) {
	switch t.Data {
	case "script", "iframe", "object", "embed", "applet", "form", "style", "link", "meta", "base", "frame", "svg", "math", "template":
		out["<"+t.Data+">"]++
	}
	for _, a := range t.Attr {
		switch {
		case t.Data == "ac:structured-macro" && a.Key == "ac:name" && !mayAdd(strings.ToLower(a.Val)):
			out["the macro "+quoteShort(a.Val)]++
		case strings.HasPrefix(a.Key, "on"):
			out["the attribute "+a.Key]++
		case runsCode(a.Val):
			out["a "+strings.ToLower(strings.SplitN(a.Val, ":", 2)[0])+": address"]++
		}
	}
}

// runsCode finds addresses that a browser would run or take as a document.
func runsCode(address string) bool {
	clean := strings.ToLower(strings.Map(func(r rune) rune {
		if r <= ' ' || hidden(r) {
			return -1
		}
		return r
	}, address))
	return strings.HasPrefix(clean, "javascript:") || strings.HasPrefix(clean, "vbscript:") || strings.HasPrefix(clean, "data:text/")
}

func dropCDATA(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "<![CDATA[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		end := strings.Index(s[i:], "]]>")
		if end < 0 {
			return b.String()
		}
		s = s[i+end+3:]
	}
}
