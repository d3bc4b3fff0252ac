package markup

import "confluence-mcp/internal/markup/storage"

// emptied looks after elements whose words are all gone: marks and links go
// with them, a comment marker moves to the nearest word that stays.
func (e *leafEdit) emptied() {
	if len(e.del) == 0 || e.b.kind == kHTML || e.b.kind == kCode {
		return
	}
	box := e.box()
	if box == nil {
		box = e.p.deepest(e.b.parentNode(), e.b.src)
	}
	e.emptiedIn(box)
}

func (e *leafEdit) emptiedIn(n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind != storage.Element || k.End <= e.b.src || k.Start >= e.b.srcEnd {
			continue
		}
		_, isMark := markOf(k.Name)
		removable := isMark || k.Name == "a" || k.Name == "ac:link" || k.Name == "span"
		if (removable || k.Name == "ac:inline-comment-marker") && e.lostAll(k) {
			if k.Name == "ac:inline-comment-marker" {
				e.moveMarker(k)
				e.emptiedIn(k)
				continue
			}
			if !holdsMarker(k) {
				e.del = append(e.del, splice{from: k.Start, to: k.End})
				continue
			}
		}
		e.emptiedIn(k)
	}
}

// lostAll tells whether everything visible in the element is deleted, some of
// it was there, and nothing new goes into it.
func (e *leafEdit) lostAll(n *storage.Node) bool {
	for _, x := range e.ins {
		if x.at >= n.OpenEnd && x.at <= n.CloseStart && n.OpenEnd < n.End && x.before == "" {
			return false
		}
	}
	lost := false
	for _, x := range e.p.pieces[e.b.pieces:e.b.piecesEnd] {
		if x.srcEnd <= n.Start || x.src >= n.End || x.kind == pSpace || x.kind == pFake {
			continue
		}
		if !e.deleted(max(x.src, n.Start), min(x.srcEnd, n.End)) {
			return false
		}
		lost = true
	}
	return lost && !holdsInvisible(n)
}

// deleted tells whether every byte of the range is cut.
func (e *leafEdit) deleted(from, to int32) bool {
	for from < to {
		next := from
		for _, d := range e.del {
			if d.from <= from && d.to > from {
				next = max(next, d.to)
			}
		}
		if next == from {
			return false
		}
		from = next
	}
	return true
}

func holdsMarker(n *storage.Node) bool { return findFirst(n, "ac:inline-comment-marker") != nil }

// holdsInvisible tells whether an element holds something that shows nothing
// and must stay: anchors, placeholders.
func holdsInvisible(n *storage.Node) bool {
	return findFirst(n, "ac:placeholder") != nil || n.Name != "ac:link" && findFirst(n, "ac:structured-macro") != nil && findFirst(n, "ac:parameter") == nil
}

// moveMarker puts a comment marker around the nearest kept word; without one
// it stays, empty, where it was.
func (e *leafEdit) moveMarker(k *storage.Node) {
	best, distance := span{}, int32(-1)
	for i, t := range e.old {
		if e.kept[i] < 0 || t.kind != tWord {
			continue
		}
		s := e.bytes(t)
		if len(s) != 1 || s[0].from == s[0].to || e.insideAtom(s[0]) {
			continue
		}
		d := max(s[0].from-k.End, k.Start-s[0].to)
		if distance < 0 || d < distance {
			best, distance = s[0], d
		}
	}
	e.notes = append(e.notes, "the words of an inline comment are gone; the comment now stands on the nearest word")
	if distance < 0 {
		return
	}
	open := e.p.tree.Source[k.Start:k.OpenEnd]
	e.del = append(e.del, splice{from: k.Start, to: k.OpenEnd}, splice{from: k.CloseStart, to: k.End},
		splice{from: best.from, to: best.from, text: open}, splice{from: best.to, to: best.to, text: "</" + k.Name + ">", order: -1})
}

// insideAtom tells whether a range is no plain text.
func (e *leafEdit) insideAtom(s span) bool {
	n := e.p.deepest(e.b.parentNode(), s.from)
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == storage.Text && k.Start <= s.from && s.to <= k.End {
			return false
		}
	}
	return true
}
