package planted

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// marks are what planted secrets look like: the word canary, tokens and codes
// of the emulator's OAuth, its app's secret, agents' keys of tests, and the API
// tokens of the people of sample sites.
var marks = regexp.MustCompile(`(?i)canary[-_ ]?[a-z0-9]*[-_][a-z0-9_-]*|emu-(?:at|rt|code)-[0-9a-f]{16,}|emulator-secret|cmk_(?:ann|bob|ops|boss|many|old|new)_[0-9a-z]{3,}` +
	`|\b(?:ann|app|bob|bot|cid|dan|eve|fay|gus|gwen|hal|hank|half|in|mirror|new|old|ops|out|root|scoped|sue|two)-token\b|\bt-(?:ann|b2|bob|bot|cid|dan|eve|fay|gus|sue)\b|planted-[a-z0-9-]+`)

// encoded is what could be a secret in base64, as a Basic header carries one.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}={0,2}`)

// Find gives the planted secrets in a text, as they are or in base64, each as
// often as it is there; nil when there is none.
func Find(text string) []string {
	out := marks.FindAllString(text, -1)
	for _, run := range encoded.FindAllString(text, -1) {
		for _, hidden := range decoded(run) {
			out = append(out, marks.FindAllString(hidden, -1)...)
		}
	}
	return out
}

// decoded reads base64 that may begin anywhere in a run of its letters.
func decoded(run string) []string {
	run = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(run, "="))
	var out []string
	for skip := range min(4, len(run)) {
		part := run[skip:]
		if len(part)%4 == 1 { // no whole byte
			part = part[:len(part)-1]
		}
		if raw, err := base64.RawStdEncoding.DecodeString(part); err == nil {
			out = append(out, string(raw))
		}
	}
	return out
}
