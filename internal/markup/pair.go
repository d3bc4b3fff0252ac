package markup

// maxPairing bounds the work of comparing every block of a gap with every other.
const maxPairing = 40_000

// pairUp tells for each block of a which block of b it became, or -1: equal
// blocks first, then changed ones that are alike.
func pairUp(a, b []*mnode) []int {
	out := make([]int, len(a))
	for i := range out {
		out[i] = -1
	}
	ka, kb := make([]uint64, len(a)), make([]uint64, len(b))
	for i, m := range a {
		ka[i] = m.hash()
	}
	for i, m := range b {
		kb[i] = m.hash()
	}
	ms := matches(ka, kb)
	for _, m := range ms {
		out[m.a] = m.b
	}
	for _, g := range gaps(ms, len(a), len(b)) {
		pairGap(a[g.a0:g.a1], b[g.b0:g.b1], func(i, j int) { out[g.a0+i] = g.b0 + j })
	}
	return out
}

// pairGap pairs the blocks of a stretch where both sides differ: those that are
// alike, then, where as many are left on both sides, in order.
func pairGap(a, b []*mnode, found func(i, j int)) {
	var ms []match
	pair := func(i, j int) {
		found(i, j)
		ms = append(ms, match{i, j})
	}
	switch {
	case len(a) == 0 || len(b) == 0:
		return
	case len(a)*len(b) > maxPairing:
		pairInOrder(a, b, pair)
	default:
		pairAlike(a, b, pair)
	}
	for _, g := range gaps(ms, len(a), len(b)) {
		if g.a1-g.a0 != g.b1-g.b0 || !allPairable(a[g.a0:g.a1], b[g.b0:g.b1]) {
			continue
		}
		for i := range g.a1 - g.a0 {
			found(g.a0+i, g.b0+i)
		}
	}
}

func allPairable(a, b []*mnode) bool {
	for i := range a {
		if !pairable(a[i], b[i]) || a[i].level != b[i].level {
			return false
		}
	}
	return true
}

func pairAlike(a, b []*mnode, found func(i, j int)) {
	best := make([][]float64, len(a)+1)
	for i := range best {
		best[i] = make([]float64, len(b)+1)
	}
	score := make([][]float64, len(a))
	ca, cb := counts(a), counts(b)
	for i := len(a) - 1; i >= 0; i-- {
		score[i] = make([]float64, len(b))
		for j := len(b) - 1; j >= 0; j-- {
			if pairable(a[i], b[j]) {
				score[i][j] = dice(ca[i], cb[j])
				if a[i].kind == kRow || a[i].kind == kCell || a[i].kind == kItem {
					score[i][j] += 0.05
				}
			}
			best[i][j] = max(best[i+1][j], best[i][j+1])
			if score[i][j] >= threshold(a[i]) {
				best[i][j] = max(best[i][j], best[i+1][j+1]+score[i][j])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case score[i][j] >= threshold(a[i]) && best[i][j] == best[i+1][j+1]+score[i][j]:
			found(i, j)
			i, j = i+1, j+1
		case best[i][j] == best[i+1][j]:
			i++
		default:
			j++
		}
	}
}

// threshold is how alike two blocks must be to count as one that changed.
func threshold(m *mnode) float64 {
	switch m.kind {
	case kText, kCell, kCode, kRow, kItem:
		return 0.5
	}
	return 0.3
}

// pairInOrder pairs the blocks of a large gap that begin alike, greedily.
func pairInOrder(a, b []*mnode, found func(i, j int)) {
	j := 0
	for i := range a {
		for k := j; k < min(j+8, len(b)); k++ {
			if pairable(a[i], b[k]) && alike(a[i], b[k]) >= threshold(a[i]) {
				found(i, k)
				j = k + 1
				break
			}
		}
	}
}

// pairable tells whether one block may have become the other.
func pairable(a, b *mnode) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kRule, kRaw:
		return false
	case kFence, kMacro:
		return a.handle == b.handle
	case kItem:
		return (a.task == noTask) == (b.task == noTask)
	case kQuote:
		return (a.tag == "") == (b.tag == "") && (a.tag == "PANEL") == (b.tag == "PANEL")
	case kList:
		return taskList(a) == taskList(b)
	}
	return true
}

func taskList(m *mnode) bool { return len(m.kids) > 0 && m.kids[0].task != noTask }

func counts(ms []*mnode) []map[string]int {
	out := make([]map[string]int, len(ms))
	for i, m := range ms {
		c := map[string]int{}
		countWords(m, c)
		out[i] = c
	}
	return out
}

func countWords(m *mnode, c map[string]int) {
	for _, t := range m.tokens {
		if t.kind == tWord || t.kind == tImage {
			c[t.text]++
		}
	}
	if m.kind == kCode || m.kind == kRaw || m.kind == kFence {
		for _, t := range codeTokens("", m) {
			if t.kind == tWord && t.text[0] != ' ' {
				c[t.text]++
			}
		}
	}
	if m.title != "" {
		c["\x00"+m.title]++
	}
	for _, k := range m.kids {
		countWords(k, c)
	}
}

// dice is the share of words two counts have in common.
func dice(a, b map[string]int) float64 {
	both, total := 0, 0
	for w, n := range a {
		both += min(n, b[w])
		total += n
	}
	for _, n := range b {
		total += n
	}
	if total == 0 {
		return 1
	}
	return 2 * float64(both) / float64(total)
}

func alike(a, b *mnode) float64 {
	c := counts([]*mnode{a, b})
	return dice(c[0], c[1])
}
