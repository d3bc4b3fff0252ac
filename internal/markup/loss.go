package markup

import (
	"slices"
	"strconv"
)

// Loss is something the base page holds more of than the result. Kind is
// "macro", "mention", "comment", "image", "caption", "task", "date", "anchor",
// "link", "attachment" or "cell"; Name is its name where it has one.
type Loss struct {
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
	Count int    `json:"count"`
}

// label is how a caller names a loss it accepts.
func (l Loss) label() string {
	if l.Name != "" {
		return l.Name
	}
	return l.Kind
}

// Losses compares two storage values: what base holds more of than result.
func Losses(base, result string) []Loss {
	a, _ := Parse(base)
	b, _ := Parse(result)
	return lossesOf(a.Inventory(), b.Inventory())
}

func lossesOf(a, b Inventory) []Loss {
	var out []Loss
	out = append(out, fewer("macro", forgiveCallouts(a.Macros, b.Macros), b.Macros)...)
	out = append(out, fewer("mention", a.Mentions, b.Mentions)...)
	out = append(out, fewer("comment", onePerKey(a.Comments), b.Comments)...)
	out = append(out, fewer("link", a.Pages, b.Pages)...)
	out = append(out, fewer("attachment", a.Attachments, b.Attachments)...)
	for _, c := range []struct {
		kind string
		n    int
	}{{"image", a.Images - b.Images}, {"caption", a.Captions - b.Captions}, {"task", a.Tasks - b.Tasks}, {"date", a.Dates - b.Dates}, {"anchor", a.Anchors - b.Anchors}, {"cell", a.Merged - b.Merged}} {
		if c.n > 0 {
			out = append(out, Loss{Kind: c.kind, Count: c.n})
		}
	}
	return out
}

// onePerKey: several markers with one reference are one comment, and it lives
// as long as one of them does.
func onePerKey(m map[string]int) map[string]int {
	out := make(map[string]int, len(m))
	for k := range m {
		out[k] = 1
	}
	return out
}

func fewer(kind string, a, b map[string]int) []Loss {
	var out []Loss
	for _, k := range sortedKeys(a) {
		if n := a[k] - b[k]; n > 0 {
			out = append(out, Loss{Kind: kind, Name: k, Count: n})
		}
	}
	return out
}

// forgiveCallouts lets a callout become another kind of callout.
func forgiveCallouts(a, b map[string]int) map[string]int {
	callouts := []string{"info", "note", "tip", "warning", "success", "error"}
	gained := 0
	for _, c := range callouts {
		gained += max(0, b[c]-a[c])
	}
	if gained == 0 {
		return a
	}
	out := make(map[string]int, len(a))
	for k, n := range a {
		if slices.Contains(callouts, k) && n > b[k] {
			forgiven := min(gained, n-b[k])
			gained -= forgiven
			n -= forgiven
		}
		out[k] = n
	}
	return out
}

// unnamed are the losses that nobody accepted.
func unnamed(losses []Loss, allowed []string) []Loss {
	var out []Loss
	for _, l := range losses {
		if !slices.Contains(allowed, l.label()) && !slices.Contains(allowed, l.Kind) {
			out = append(out, l)
		}
	}
	return out
}

// guard refuses a result that lost something nobody named.
func guard(losses []Loss, allowed []string) *Error {
	left := unnamed(losses, allowed)
	if len(left) == 0 {
		return nil
	}
	err := fail("loss", "Keep them in the text, or name them in allow_loss.", "the edit would lose content of the page")
	err.Losses = left
	for _, l := range left {
		err.Candidates = append(err.Candidates, l.String())
	}
	return err
}

// String is the loss in words: "macro drawio (1)".
func (l Loss) String() string {
	s := l.Kind
	if l.Name != "" {
		s += " " + cut(l.Name, 80)
	}
	return s + " (" + strconv.Itoa(l.Count) + ")"
}
