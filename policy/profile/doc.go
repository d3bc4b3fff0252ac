// Package profile reads a profile file: YAML in, a checked [File] out, or
// every [Problem] with its line and column. It knows the file's shape (a JSON
// Schema that editors can use, see [Schema]) and refuses whatever could be
// read in two ways: unknown and duplicate keys, anchors, aliases, merge keys,
// explicit tags, more than one document.
//
// It does not compile rules and decides nothing; package policy does. Start
// reading with [File] and [Parser].
package profile
