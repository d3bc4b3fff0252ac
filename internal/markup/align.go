package markup

// maxEdits bounds the work of one comparison; beyond it the middle counts as
// replaced as a whole.
const maxEdits = 1500

// match is a pair of equal places, one in each sequence.
type match struct{ a, b int }

// matches finds a longest common subsequence of two sequences of keys (Myers'
// O(ND) algorithm between the equal ends).
func matches(a, b []uint64) []match {
	var out []match
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		out = append(out, match{head, head})
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for _, m := range middle(a[head:len(a)-tail], b[head:len(b)-tail]) {
		out = append(out, match{m.a + head, m.b + head})
	}
	for i := tail; i > 0; i-- {
		out = append(out, match{len(a) - i, len(b) - i})
	}
	return out
}

func middle(a, b []uint64) []match {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	limit := min(len(a)+len(b), maxEdits)
	v := make([]int32, 2*limit+3)
	var trace [][]int32
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int32(nil), v[limit-d:limit+d+3]...))
		for k := -d; k <= d; k += 2 {
			x := furthest(v, limit+1, k, d)
			for int(x) < len(a) && int(x)-k < len(b) && a[x] == b[int(x)-k] {
				x++
			}
			v[limit+1+k] = x
			if int(x) >= len(a) && int(x)-k >= len(b) {
				return backtrack(a, b, trace, d)
			}
		}
	}
	return anchors(a, b)
}

func furthest(v []int32, zero, k, d int) int32 {
	if k == -d || k != d && v[zero+k-1] < v[zero+k+1] {
		return v[zero+k+1]
	}
	return v[zero+k-1] + 1
}

// backtrack reads the matches from the recorded rows; row d holds the
// diagonals -d-1..d+1 as they were before step d.
func backtrack(a, b []uint64, trace [][]int32, d int) []match {
	var rev []match
	x, y := len(a), len(b)
	for ; d >= 0; d-- {
		row, zero := trace[d], d+1
		k := x - y
		down := k == -d || k != d && row[zero+k-1] < row[zero+k+1]
		prev := k - 1
		if down {
			prev = k + 1
		}
		px := int(row[zero+prev])
		py := px - prev
		if d == 0 {
			px, py = 0, 0
		}
		for x > px && y > py && x > 0 && y > 0 && a[x-1] == b[y-1] {
			x, y = x-1, y-1
			rev = append(rev, match{x, y})
		}
		x, y = px, py
	}
	for i, j := 0, len(rev)-1; i < j; i, j = i+1, j-1 {
		rev[i], rev[j] = rev[j], rev[i]
	}
	return rev
}

// anchors matches keys that occur once on both sides and keep their order:
// what is left when two sequences differ too much for an exact answer.
func anchors(a, b []uint64) []match {
	once := func(s []uint64) map[uint64]int {
		at := make(map[uint64]int, len(s))
		for i, k := range s {
			if _, twice := at[k]; twice {
				at[k] = -1
				continue
			}
			at[k] = i
		}
		return at
	}
	inA, inB := once(a), once(b)
	var out []match
	last := -1
	for i, k := range a {
		if j, ok := inB[k]; ok && inA[k] == i && j > last {
			out = append(out, match{i, j})
			last = j
		}
	}
	return out
}

// gap is a stretch where the sequences differ: a[a0:a1] became b[b0:b1].
type gap struct{ a0, a1, b0, b1 int }

func gaps(ms []match, lenA, lenB int) []gap {
	var out []gap
	a, b := 0, 0
	for _, m := range append(ms, match{lenA, lenB}) {
		if m.a > a || m.b > b {
			out = append(out, gap{a, m.a, b, m.b})
		}
		a, b = m.a+1, m.b+1
	}
	return out
}
