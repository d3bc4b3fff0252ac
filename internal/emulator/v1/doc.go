// Package v1 serves the older generation of Confluence Cloud's REST API, under
// /wiki/rest/api: CQL search, labels, attachments, restrictions, moving and
// copying, spaces, users, groups, long tasks, and the content reads that left
// the published document but still answer.
//
// It knows how the API looks: expand, offset paging, error bodies, quirks. What
// is true and who may see it is package site's; who asks, and whether the
// token's scopes suffice, the shell has decided before a handler runs. Start
// reading at [Routes].
package v1
