package markup

import (
	"regexp"
	"slices"
	"strings"
)

// gapPhrases finds a line that stands for text left out.
func gapPhrases() *regexp.Regexp {
	return regexp.MustCompile(`(?im)^[ \t>*_#/<!\-\[({.…]*(?:\.\.\.|…)?[ \t]*(?:the )?(?:rest|remainder|remaining|other|existing|previous|unchanged)\b[^\n]{0,60}\b(?:unchanged|same|omitted|as before|as is|here|stays?|remains?|content|kept|sections?)\b[^\n]{0,20}$|` +
		`^[ \t>]*(?:<!--|\[|\(|\{)?[ \t]*(?:\.\.\.|…)[ \t]*(?:unchanged|omitted|snip(?:ped)?|truncated|same as before|existing[^\n]{0,30})[^\n]{0,30}$|` +
		`^[ \t>]*(?:<!--|\[|\()[ \t]*(?:\.\.\.|…)?[ \t]*(?:unchanged|omitted|snip(?:ped)?|truncated|no changes?|content unchanged|keep[^\n]{0,40})[^\n]{0,40}(?:-->|\]|\))[ \t]*$`)
}

// checkElision refuses text with a gap that says "rest unchanged", and text
// that shrinks the page by more than half.
func checkElision(shown, edited string, allowed []string) error {
	if slices.Contains(allowed, "elision") {
		return nil
	}
	for _, at := range gapPhrases().FindAllStringIndex(edited, -1) {
		line := strings.TrimSpace(edited[at[0]:at[1]])
		if strings.Contains(shown, line) {
			continue
		}
		err := fail("elision", `Send the whole text, or edit by section; name "elision" in allow_loss if the line is meant.`, "the text leaves something out: %q", cut(line, 100))
		err.Line = 1 + strings.Count(edited[:at[0]], "\n")
		err.Column, err.Offset = 1, at[0]
		return err
	}
	before, after := len(strings.Fields(shown)), len(strings.Fields(edited))
	if before >= 20 && after*2 < before {
		err := fail("elision", `Send the whole text, or edit by section; name "elision" in allow_loss if this is meant.`, "the page would shrink from %d words to %d", before, after)
		err.Candidates = firstLost(shown, edited)
		return err
	}
	return nil
}

// firstLost names headings, or lines, that the shorter text lacks.
func firstLost(shown, edited string) []string {
	var out []string
	for line := range strings.Lines(shown) {
		t := strings.TrimSpace(line)
		if t != "" && len(out) < maxCandidates && !strings.Contains(edited, t) {
			out = append(out, cut(t, 100))
		}
	}
	return out
}
