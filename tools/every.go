package tools

// Every lists every tool there is, in no order, whatever a
// profile allows: for tables, and for the matrix of a profile.
func Every() []Tool {
	all := everyTool()
	out := make([]Tool, len(all))
	for i, t := range all {
		out[i] = t.Tool
	}
	return out
}
