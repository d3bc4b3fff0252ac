// Package operation says for every REST operation of Confluence which group
// and action it belongs to, or that it is blocked in code whatever a profile
// says. What is not listed is denied.
//
// The method alone is not the class: some POSTs only read, a PUT with status
// trashed is a delete, a DELETE with purge is blocked. Start reading with
// [Table.Classify].
package operation
