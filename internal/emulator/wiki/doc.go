// Package wiki makes large site files: [Convert] turns the wiki corpus (a
// folder with spaces.json and pages.jsonl.gz, described by the README beside
// them) into a site file, and [Grow] multiplies any site file. The same input
// always gives the same bytes.
//
// The rules are those of the corpus's README: people, rights, versions and
// attachments follow from a hash of the page id, macros are seasoned in by
// position, and growth replays the base pages with dropped paragraphs and
// invented words, so that the vocabulary grows as in real wikis. Convert grows
// the Markdown, which is exact; Grow works on storage, where a paragraph is a
// top-level element and words inside macros' parameters stay.
//
// The Markdown-to-storage writer here is the emulator's own, so that the
// product's converter is never tested against itself.
package wiki
