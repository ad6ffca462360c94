package vault

import (
	"bytes"
	"sync"

	"hiddenbackup/core/snapshot"
)

// maxKnown bounds the memory of what is known: the listing of some hundred
// thousand files. Of a longer one the beginning is known.
var maxKnown = 16 << 20

// known are chunks of the listing that was read last, as they came from the
// grid. A backup reads its parent's listing three times and a restore reads one
// once more than there are tiers: over a slow line once has to be enough.
// The zero value is ready. Safe for concurrent use.
type known struct {
	mu     sync.Mutex
	chunks map[snapshot.ChunkRef][]byte
	size   int
}

// keep forgets all chunks but these.
func (k *known) keep(refs []snapshot.ChunkRef) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.chunks
	k.chunks, k.size = make(map[snapshot.ChunkRef][]byte), 0
	for _, r := range refs {
		if plain, ok := before[r]; ok && k.chunks[r] == nil {
			k.chunks[r] = plain
			k.size += len(plain)
		}
	}
}

func (k *known) forget() { k.keep(nil) }

// get is nil for a chunk that is not known. It is not to be changed.
func (k *known) get(r snapshot.ChunkRef) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.chunks[r]
}

// add takes a copy.
func (k *known) add(r snapshot.ChunkRef, plain []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.chunks[r] != nil || k.chunks == nil || k.size+len(plain) > maxKnown {
		return
	}
	k.chunks[r] = bytes.Clone(plain)
	k.size += len(plain)
}
