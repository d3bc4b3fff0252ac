package markup

// columns edits a table whose number of columns changed, cell by cell.
func (pl *planner) columns(a, b *mnode) error {
	if len(a.kids) == 0 || len(b.kids) == 0 {
		return pl.loose(a)
	}
	pairs := pairUp(a.kids[0].kids, b.kids[0].kids)
	rows := pairUp(a.kids, b.kids)
	for i, j := range rows {
		if j < 0 {
			if err := pl.remove(a.kids[i]); err != nil {
				return err
			}
			continue
		}
		if err := pl.cells(a.kids[i], b.kids[j], pairs); err != nil {
			return err
		}
	}
	paired := make([]int, len(b.kids))
	for j := range paired {
		paired[j] = -1
	}
	for i, j := range rows {
		if j >= 0 {
			paired[j] = i
		}
	}
	for j, i := range paired {
		if i < 0 {
			if err := pl.add(a, b, paired, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// cells applies a column pairing to one row.
func (pl *planner) cells(a, b *mnode, pairs []int) error {
	paired := make([]int, len(b.kids))
	for j := range paired {
		paired[j] = -1
	}
	for i, j := range pairs {
		if i >= len(a.kids) {
			break
		}
		if j < 0 || j >= len(b.kids) {
			if err := pl.remove(a.kids[i]); err != nil {
				return err
			}
			continue
		}
		paired[j] = i
		if err := pl.pair(a.kids[i], b.kids[j]); err != nil {
			return err
		}
	}
	for j, i := range paired {
		if i < 0 {
			if err := pl.add(a, b, paired, j); err != nil {
				return err
			}
		}
	}
	return nil
}
