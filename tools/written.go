package tools

import (
	"fmt"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
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

// forbiddenAdded refuses a body that is broken, holds active content its base
// did not, or adds a macro this server does not write, naming the first.
func forbiddenAdded(before, after string) error {
	if err := markup.Validate(after, before); err != nil {
		return markupError(err)
	}
	was, is := document(before).Inventory().Macros, document(after).Inventory().Macros
	for _, name := range sortedKeys(is) {
		if is[name] <= was[name] || mayAdd(strings.ToLower(name)) {
			continue
		}
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.forbidden_content",
			Message: fmt.Sprintf("The body adds the macro %s, which this server does not write.", quoteShort(line(name))), Next: "Leave it out. Nothing was changed."}
	}
	return nil
}
