package index

import "time"

// bleve maps its files and every merge reads them. What was read so counts as
// memory of this process until the kernel takes it back, which it does late: a
// container with a limit shows the whole index as used. So while much is written
// the mapped pages are given back, those in the page cache stay there; a search
// meanwhile maps what it needs again.
const (
	letGoText   = 4 << 20                // bytes of text written in between
	lookAtMerge = 200 * time.Millisecond // pause between looks at a merge
)

// letGo unmaps what was read of the files that count.
func (s *shelf) letGo() {
	snap, err := s.snapshot()
	if err != nil {
		return // closed: its files are not mapped any more
	}
	defer snap.Close()
	for _, seg := range snap.Segments() {
		if f, ok := seg.Segment().(interface{ Data() []byte }); ok {
			unmapRead(f.Data())
		}
	}
}
