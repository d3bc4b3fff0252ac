// Package layers holds the repository's rules as tests: which package may
// import which, and what every file must keep to. It has no code of its own.
//
// The import table in layers_test.go is the architecture; a change of it is a
// change of the design and wants a reason in the commit.
package layers
