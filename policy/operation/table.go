package operation

import "confluence-mcp/policy"

// row is one path template, a star for each variable segment, with the methods
// that are offered. Methods are GET read, POST create, PUT update and DELETE
// delete unless as says otherwise; blocked lists methods no profile can grant.
type row struct {
	path    string
	methods string
	as      policy.Action
	blocked string
}

// section is the rows of one group under one API.
type section struct {
	api   string // v2 or v1
	group policy.Group
	rows  []row
}

const (
	v2 = "v2"
	v1 = "v1"
)

// table lists every operation of Cloud's v2 document, and of v1 and Data
// Center what the product uses and what would do harm.
func table() []section {
	return []section{
		{v2, policy.Pages, pageRows()},
		{v2, policy.Pages, otherContentRows()},
		{v2, policy.Pages, commentRows()},
		{v2, policy.Attachments, attachmentRows()},
		{v2, policy.Spaces, spaceRows()},
		{v2, policy.Users, []row{
			{path: "/users-bulk", methods: "POST", as: policy.Read},
			{path: "/user/access/check-access-by-email", methods: "POST", as: policy.Read},
			{path: "/user/access/invite-by-email", blocked: "POST"},
			{path: "/admin-key", blocked: "GET POST DELETE"},
			{path: "/app/properties", blocked: "GET"},
			{path: "/app/properties/*", blocked: "GET PUT DELETE"},
		}},
		{v1, policy.Pages, pageRowsV1()},
		{v1, policy.Spaces, spaceRowsV1()},
		{v1, policy.Attachments, []row{
			{path: "/content/*/child/attachment", methods: "GET POST"},
			{path: "/content/*/child/attachment", methods: "PUT", as: policy.Update},
			{path: "/content/*/child/attachment/*", methods: "PUT"},
			{path: "/content/*/child/attachment/*/data", methods: "POST", as: policy.Update},
			{path: "/content/*/child/attachment/*/download", methods: "GET"},
		}},
		{v1, policy.Search, []row{
			{path: "/search", methods: "GET"},
			{path: "/content/search", methods: "GET"},
		}},
		{v1, policy.Users, userRowsV1()},
	}
}

func pageRows() []row {
	rows := []row{
		{path: "/pages/*/title", methods: "PUT"},
		{path: "/pages/*/children", methods: "GET"},
		{path: "/pages/*/ancestors", methods: "GET"},
		{path: "/pages/*/descendants", methods: "GET"},
		{path: "/pages/*/direct-children", methods: "GET"},
		{path: "/labels", methods: "GET"},
		{path: "/labels/*/pages", methods: "GET"},
		{path: "/labels/*/blogposts", methods: "GET"},
		{path: "/labels/*/attachments", methods: "GET"},
		{path: "/tasks", methods: "GET"},
		{path: "/tasks/*", methods: "GET PUT"},
		{path: "/content/convert-ids-to-types", methods: "POST", as: policy.Read},
	}
	for _, kind := range []string{"/pages", "/blogposts"} {
		rows = append(rows, contentRows(kind)...)
		rows = append(rows,
			row{path: kind, methods: "GET POST"},
			row{path: kind + "/*", methods: "PUT"},
			row{path: kind + "/*/custom-content", methods: "GET"},
			row{path: kind + "/*/inline-comments", methods: "GET"},
			row{path: kind + "/*/likes/count", methods: "GET"},
			row{path: kind + "/*/likes/users", methods: "GET"},
			row{path: kind + "/*/redact", blocked: "POST"},
		)
		rows = append(rows, classificationRows(kind)...)
	}
	return rows
}

// contentRows are what everything in a content tree has.
func contentRows(kind string) []row {
	return []row{
		{path: kind + "/*", methods: "GET DELETE"},
		{path: kind + "/*/attachments", methods: "GET"},
		{path: kind + "/*/footer-comments", methods: "GET"},
		{path: kind + "/*/labels", methods: "GET"},
		{path: kind + "/*/operations", methods: "GET"},
		{path: kind + "/*/properties", methods: "GET POST"},
		{path: kind + "/*/properties/*", methods: "GET PUT DELETE"},
		{path: kind + "/*/versions", methods: "GET"},
		{path: kind + "/*/versions/*", methods: "GET"},
	}
}

// classificationRows: a level can be seen, not changed.
func classificationRows(kind string) []row {
	return []row{
		{path: kind + "/*/classification-level", methods: "GET", blocked: "PUT"},
		{path: kind + "/*/classification-level/reset", blocked: "POST"},
	}
}

// otherContentRows are content the product shows in trees and mostly leaves
// alone.
func otherContentRows() []row {
	rows := append(contentRows("/custom-content"),
		row{path: "/custom-content", methods: "GET POST"},
		row{path: "/custom-content/*", methods: "PUT"},
		row{path: "/custom-content/*/children", methods: "GET"},
	)
	for _, kind := range []string{"/whiteboards", "/databases", "/embeds", "/folders"} {
		rows = append(rows,
			row{path: kind, methods: "POST"},
			row{path: kind + "/*", methods: "GET DELETE"},
			row{path: kind + "/*/properties", methods: "GET POST"},
			row{path: kind + "/*/properties/*", methods: "GET PUT DELETE"},
			row{path: kind + "/*/operations", methods: "GET"},
			row{path: kind + "/*/direct-children", methods: "GET"},
			row{path: kind + "/*/descendants", methods: "GET"},
			row{path: kind + "/*/ancestors", methods: "GET"},
		)
	}
	rows = append(rows, classificationRows("/whiteboards")...)
	return append(rows, classificationRows("/databases")...)
}

func commentRows() []row {
	rows := []row{
		{path: "/comments/*/properties", methods: "GET POST"},
		{path: "/comments/*/properties/*", methods: "GET PUT DELETE"},
	}
	for _, kind := range []string{"/footer-comments", "/inline-comments"} {
		rows = append(rows,
			row{path: kind, methods: "GET POST"},
			row{path: kind + "/*", methods: "GET PUT DELETE"},
			row{path: kind + "/*/children", methods: "GET"},
			row{path: kind + "/*/likes/count", methods: "GET"},
			row{path: kind + "/*/likes/users", methods: "GET"},
			row{path: kind + "/*/operations", methods: "GET"},
			row{path: kind + "/*/versions", methods: "GET"},
			row{path: kind + "/*/versions/*", methods: "GET"},
		)
	}
	return rows
}

func attachmentRows() []row {
	return append(contentRows("/attachments"),
		row{path: "/attachments", methods: "GET"},
		row{path: "/attachments/*/thumbnail/download", methods: "GET"},
	)
}

// spaceRows has no row that deletes, and none that changes who may see what.
func spaceRows() []row {
	return []row{
		{path: "/spaces", methods: "GET POST"},
		{path: "/spaces/*", methods: "GET", blocked: "DELETE"},
		{path: "/spaces/*/blogposts", methods: "GET"},
		{path: "/spaces/*/pages", methods: "GET"},
		{path: "/spaces/*/custom-content", methods: "GET"},
		{path: "/spaces/*/labels", methods: "GET"},
		{path: "/spaces/*/content/labels", methods: "GET"},
		{path: "/spaces/*/operations", methods: "GET"},
		{path: "/spaces/*/permissions", methods: "GET"},
		{path: "/spaces/*/properties", methods: "GET POST"},
		{path: "/spaces/*/properties/*", methods: "GET PUT DELETE"},
		{path: "/spaces/*/role-assignments", methods: "GET", blocked: "POST"},
		{path: "/spaces/*/classification-level/default", methods: "GET", blocked: "PUT DELETE"},
		{path: "/space-permissions", methods: "GET"},
		{path: "/space-permissions/transition/combinations", methods: "GET", blocked: "POST"},
		{path: "/space-permissions/transition/role-assignments", blocked: "POST"},
		{path: "/space-permissions/transition/access-removals", blocked: "POST"},
		{path: "/space-permissions/transition/tasks/*", methods: "GET"},
		{path: "/space-roles", methods: "GET", blocked: "POST"},
		{path: "/space-roles/*", methods: "GET", blocked: "PUT DELETE"},
		{path: "/space-role-mode", methods: "GET"},
		{path: "/classification-levels", methods: "GET"},
		{path: "/data-policies/metadata", methods: "GET"},
		{path: "/data-policies/spaces", methods: "GET"},
	}
}
