package backup

import (
	"hiddenbackup/core/snapshot"
)

// listingPacker stores the chunks of the listing in packs of their own, so that
// reading a listing does not mean visiting every pack of content.
type listingPacker struct {
	packer
	index  *index
	stored bool
	refs   []snapshot.ChunkRef
}

func (l *listingPacker) chunk(plain []byte) error {
	id := snapshot.IDOf(plain)
	ref, known := l.index.find(id, len(plain))
	if !known {
		sealed := l.keys.SealChunk(newSealed(len(plain)), plain, !l.stored)
		defer freeSealed(sealed)
		var err error
		if ref, err = l.add(id, sealed, len(plain)); err != nil {
			return err
		}
		l.index.add(ref)
	}
	l.refs = append(l.refs, ref)
	return nil
}
