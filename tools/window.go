package tools

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
)

// window is one page of a listing as it is shown: the rows that fit, their
// text, and the cursor that goes on behind them.
type window[T any] struct {
	rows []T
	text string
	next string
	left int // rows that were there and did not fit

	readAt time.Time // of the oldest row; zero: just now
	stale  bool
}

// lister is how a listing is fetched and shown. keep leaves rows out for good;
// nil keeps all.
type lister[T any] struct {
	cursor   string
	maxChars int
	fetch    func(upstream string) (confluence.List[T], error)
	keep     func(T) bool
	show     func(T) string
}

// list fetches one page of upstream rows and shows as many as fit. The
// position in our cursor is "rows to skip:upstream cursor", so what did not fit
// comes first the next time.
func list[T any](k *call, l lister[T]) (window[T], error) {
	position, err := k.open(l.cursor)
	if err != nil {
		return window[T]{}, err
	}
	before, upstream, _ := strings.Cut(position, ":")
	skip, _ := strconv.Atoi(before)
	page, err := l.fetch(upstream)
	if err != nil {
		return window[T]{}, err
	}
	w := window[T]{rows: []T{}, readAt: page.ReadAt, stale: page.Stale}
	room := cmp.Or(l.maxChars, defaultChars)
	var b strings.Builder
	for i := min(skip, len(page.Items)); i < len(page.Items); i++ {
		if l.keep != nil && !l.keep(page.Items[i]) {
			continue
		}
		text := l.show(page.Items[i])
		if room -= runes(text); room < 0 && len(w.rows) > 0 {
			w.text, w.left = b.String(), len(page.Items)-i
			w.next = k.seal(fmt.Sprintf("%d:%s", i, upstream))
			return w, nil
		}
		b.WriteString(text)
		w.rows = append(w.rows, page.Items[i])
	}
	w.text = b.String()
	if page.Next != "" {
		w.next = k.seal("0:" + page.Next)
	}
	return w, nil
}

// fenced is the text of the window for a model: a count, the rows between
// marks, and how to go on.
func (w window[T]) fenced(k *call, what string) string {
	if len(w.rows) == 0 && w.next == "" {
		return what + ": none"
	}
	if !w.readAt.IsZero() || w.stale {
		what += " (" + readAgo(k.ageOf(w.readAt), w.stale) + ")"
	}
	return fmt.Sprintf("%s: %d\n%s%s", what, len(w.rows), fence(k.nonce, strings.TrimRight(w.text, "\n")), w.more())
}

func (w window[T]) more() string {
	switch {
	case w.next == "":
		return ""
	case w.left > 0:
		return fmt.Sprintf("\n[%d more did not fit into max_chars] Go on with cursor %s", w.left, w.next)
	default:
		return "\nThere is more. Go on with cursor " + w.next
	}
}

// stretch is at most n characters of a text from one on; nothing of it is
// copied.
func stretch(text string, from, n int) string {
	rest := behind(text, from)
	return rest[:len(rest)-len(behind(rest, n))]
}

// behind is a text without its first n characters.
func behind(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[i:]
		}
		n--
	}
	return ""
}
