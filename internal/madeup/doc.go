// Package madeup makes pages of made-up words, and questions about them, for
// measurements: the words' frequencies and the pages' lengths are those of the
// corpus that the project's figures for search were taken with. A page and a
// question are functions of their numbers alone, so that everything measured is
// asked the same, in any process.
//
// Made-up text has no topics, no boilerplate and far more frequent phrases than
// prose. The package refuses to know Confluence, the mirror and any engine; only
// tests use it. Start reading with [Words].
package madeup
