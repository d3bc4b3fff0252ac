package markup

import (
	"sort"
	"strings"
)

// splice replaces the bytes [from,to) of the original by text.
type splice struct {
	from, to int32
	text     string
	order    int // of insertions at one place
}

// join merges deletions that lie inside or beside each other and refuses two
// replacements of the same bytes.
func join(in []splice) ([]splice, error) {
	sort.SliceStable(in, func(i, j int) bool {
		if in[i].from != in[j].from {
			return in[i].from < in[j].from
		}
		if zi, zj := in[i].from == in[i].to, in[j].from == in[j].to; zi != zj {
			return zi
		}
		return in[i].order < in[j].order
	})
	var out []splice
	for _, s := range in {
		if len(out) == 0 || s.from >= out[len(out)-1].to {
			out = append(out, s)
			continue
		}
		last := &out[len(out)-1]
		switch {
		case s.to <= last.to && s.text == "":
		case s.from == s.to && last.text == "":
			last.text = s.text
		case s.from == s.to:
			last.text += s.text
		case s.text == "" && last.text == "":
			last.to = s.to
		default:
			return nil, fail("overlap", "Send them one after the other.", "two edits change the same place")
		}
	}
	return out, nil
}

func applySplices(src string, ss []splice) string {
	var b strings.Builder
	b.Grow(len(src) + 256)
	at := int32(0)
	for _, s := range ss {
		b.WriteString(src[at:s.from])
		b.WriteString(s.text)
		at = s.to
	}
	b.WriteString(src[at:])
	return b.String()
}
