package index

import (
	"context"
	"encoding/binary"
	"hash/crc32"

	bleve "github.com/blevesearch/bleve_index_api"
)

// Forge writes into an index that another version made it.
func Forge(ctx context.Context, x *Index) error {
	b := bleve.NewBatch()
	seq := encodeSeq(1)
	seq[3]++
	binary.BigEndian.PutUint32(seq[12:], crc32.ChecksumIEEE(seq[:12]))
	b.SetInternal([]byte(seqKey), seq)
	return x.current.commit(ctx, b)
}

// HoldsRun writes the marks of words and looks for a run of others, by the quick
// look that may be wrong and by reading them.
func HoldsRun(words, run []string) (maybe, holds bool) {
	var t markTable
	var stored []byte
	for _, w := range words {
		stored = t.append(stored, mark(w))
	}
	r := newRun(run)
	return r.maybe(stored), r.in(readMarks(stored, nil))
}

// Lying tells how many documents lie in the largest segment of an index and
// beside it, deleted ones included, and how many bytes of its files are of none.
func Lying(x *Index) (largest, rest, garbage int64, err error) {
	l, err := x.current.layout()
	return l.largest, l.rest, sizeOf(x.current.path) - l.bytes, err
}

// LetGo takes what was read of the files out of memory.
func LetGo(x *Index) { x.current.letGo() }
