// Package v2 answers the second generation of the Cloud REST API: pages, blog
// posts, folders, comments, attachments, spaces and users under /wiki/api/v2,
// in the shapes and with the quirks of the real service.
//
// It knows neither authentication nor scopes nor faults, which the shell has
// settled before a handler runs; and it decides nothing about rights, which
// package site has settled in every View. It only translates. The quirks it
// keeps on purpose: a body is {} unless body-format is given; lists show
// current and archived pages; a write without permission is a miss (404);
// creating a page answers 200, a comment or space 201; next carries /wiki and a
// cursor nobody may read; children hide folders; trashed pages answer by id,
// without parent.
//
// Start reading at [Routes].
package v2
