package backup

import (
	"sync"

	"hiddenbackup/core/snapshot"
)

// maxIndex bounds the index to some 100 MB. Chunks beyond it are still found by
// path; only moved or copied content is then sent again.
const maxIndex = 1 << 20

// index knows which chunks are stored, by the parent snapshot, by an unfinished
// run or by this one. It lives for one run. Safe for concurrent use.
type index struct {
	mu     sync.RWMutex
	chunks map[snapshot.ChunkID]place
	packs  []snapshot.PackID
	number map[snapshot.PackID]uint32
}

type place struct {
	pack, offset, sealed uint32
}

func newIndex() *index {
	return &index{chunks: make(map[snapshot.ChunkID]place), number: make(map[snapshot.PackID]uint32)}
}

func (x *index) add(r snapshot.ChunkRef) {
	if r.Hole() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.chunks[r.ID]; known || len(x.chunks) >= maxIndex {
		return
	}
	n, ok := x.number[r.Pack]
	if !ok {
		n = uint32(len(x.packs))
		x.packs = append(x.packs, r.Pack)
		x.number[r.Pack] = n
	}
	x.chunks[r.ID] = place{n, r.Offset, r.Sealed}
}

// find returns the place of a chunk of the given length.
func (x *index) find(id snapshot.ChunkID, length int) (snapshot.ChunkRef, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	p, ok := x.chunks[id]
	if !ok {
		return snapshot.ChunkRef{}, false
	}
	return snapshot.ChunkRef{ID: id, Pack: x.packs[p.pack], Offset: p.offset, Sealed: p.sealed, Length: int64(length)}, true
}
