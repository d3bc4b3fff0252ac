package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
)

// secretWord is how a flag would be called that takes a secret.
var secretWord = regexp.MustCompile(`(?i)token|secret|password|passwd|\bpat\b|api-?key|\bkey\b|bearer|credential|auth(orization)?=|header|cookie`)

// TestK10_NoFlagTakesASecret: everybody on a machine reads the command lines of
// its processes, so secrets come by file or environment only.
func TestK10_NoFlagTakesASecret(t *testing.T) {
	p := program{in: strings.NewReader(""), out: &bytes.Buffer{}, errOut: &bytes.Buffer{}, getenv: func(string) string { return "" }, now: time.Now}
	commands := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		commands++
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(c.Flags().FlagUsages(), -1) {
			if flag == "--token-expires" {
				continue // takes a day, and refuses anything else
			}
			assert.NotRegexp(t, secretWord, flag, c.CommandPath())
		}
		assert.NotRegexp(t, regexp.MustCompile(`(?i)\b(TOKEN|SECRET|PASSWORD|KEY)\b`), strings.TrimPrefix(c.Use, c.Name()), "arguments of "+c.CommandPath())
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(p.root())
	assert.Greater(t, commands, 10)
}

// TestK10_SecretOnTheCommandLineIsRefused: who tries anyway is refused, and
// what was given is not repeated.
func TestK10_SecretOnTheCommandLineIsRefused(t *testing.T) {
	const canary = "ATATT3xFfGF0-CANARY-on-the-command-line"
	for _, args := range [][]string{
		{"serve", "--token", canary}, {"serve", "--token=" + canary}, {"serve", "--api-token=" + canary}, {"serve", "--confluence-token", canary}, {"doctor", "--password=" + canary},
		{"agents", "add", "x", "--key", canary}, {"demo", "--secret=" + canary}, {"serve", "--listen", "127.0.0.1:0", "--bearer=" + canary}, {"config", "check", "--client-secret=" + canary},
	} {
		var out, errOut bytes.Buffer
		p := program{in: strings.NewReader(""), out: &out, errOut: &errOut, getenv: func(string) string { return "" }, now: time.Now}
		assert.Equal(t, exitUsage, p.run(context.Background(), args), "%v", args)
		assert.NotContains(t, out.String()+errOut.String(), canary, "%v", args[:2])
	}
}
