//go:build !clients

package server_test

import (
	"os"
	"testing"

	"confluence-mcp/internal/emulator/planted"
)

// TestMain fails the tests when a secret of theirs is in an answer or a log.
func TestMain(m *testing.M) { os.Exit(planted.Watch(m).Run()) }
