// Package policies holds the shipped profiles as data, one file each: Read
// Only, Documentation Manager and Full Access. It decides nothing; package
// policy reads, checks and applies them.
package policies

import "embed"

// FS has one YAML file a profile in its root.
//
//go:embed *.yaml
var FS embed.FS
