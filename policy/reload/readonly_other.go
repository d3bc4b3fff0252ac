//go:build !unix

package reload

// readOnly is not known here.
func readOnly(string) bool { return false }
