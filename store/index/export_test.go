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
