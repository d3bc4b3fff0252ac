package tools

import (
	"slices"
	"sync"
)

// All lists every tool whoever asks, sorted by name. It is for registering the
// tools with a protocol server; what a caller may see is [Catalog.Tools].
func (c *Catalog) All() []Tool {
	out := make([]Tool, len(c.tools))
	for i, t := range c.tools {
		out[i] = t.Tool
	}
	return out
}

// everyTool is the catalogue, made once a process. Nobody changes the list or
// what is in it.
var everyTool = sync.OnceValue(catalogue)

// catalogue is one list a subject. A tool that is not in it does not exist.
func catalogue() []*tool {
	return slices.Concat(searchTools(), pageReadTools(), pageListTools(), pageCreateTools(), pageUpdateTools(), commentTools(), labelTools(),
		spaceTools(), attachmentTools(), userTools(), []*tool{undoTool()})
}
