package vault

import (
	"bytes"
	"context"

	"hiddenbackup/core/snapshot"
)

// maxListingRange bounds how much of a listing is fetched with one request and
// so held in memory, times inFlight.
const maxListingRange = 4 << 20

// Listing reads the entries of s, fetching a few requests ahead what it has not
// fetched before. The caller closes the returned reader.
func (v *Vault) Listing(ctx context.Context, s *snapshot.Snapshot, moved func(int64)) (*Listing, error) {
	stretches, err := v.stretches(s)
	if err != nil {
		return nil, err
	}
	l := &Listing{inOrder: readInOrder(ctx, len(stretches), inFlight, func(ctx context.Context, i int) ([]byte, error) {
		r := stretches[i]
		if r.known != nil {
			return r.known, nil
		}
		return v.fetchStretch(ctx, r.Range, moved)
	})}
	l.ListingReader = snapshot.NewListingReader(l.inOrder)
	return l, nil
}

func (v *Vault) fetchStretch(ctx context.Context, r Range, moved func(int64)) ([]byte, error) {
	plain := make(map[uint32][]byte)
	err := v.Fetch(ctx, r, moved, func(c snapshot.ChunkRef, p []byte) error {
		plain[c.Offset] = bytes.Clone(p)
		v.known.add(c, p)
		return nil
	})
	var data []byte
	for _, c := range r.Chunks {
		data = append(data, plain[c.Offset]...)
	}
	return data, err
}

// stretch is a part of a listing: known, or to be fetched with one request.
type stretch struct {
	Range
	known []byte
}

// stretches is Ranges for chunks whose order matters, and some of which are known.
func (v *Vault) stretches(s *snapshot.Snapshot) ([]stretch, error) {
	v.known.keep(s.Listing)
	var found []stretch
	size := int64(0) // of the last one
	for _, r := range s.Listing {
		if err := s.CheckRef(r); err != nil {
			return nil, err
		}
		if plain := v.known.get(r); plain != nil {
			found = append(found, stretch{known: plain})
			continue
		}
		if n := len(found); n > 0 && found[n-1].known == nil {
			last := &found[n-1]
			gap := int64(r.Offset) - last.end()
			if last.Pack.ID == r.Pack && gap >= 0 && gap <= maxGap && size+r.Length <= maxListingRange {
				last.Chunks = append(last.Chunks, r)
				size += r.Length
				continue
			}
		}
		found = append(found, stretch{Range: Range{Pack: s.Packs[r.Pack], Chunks: []snapshot.ChunkRef{r}}})
		size = r.Length
	}
	return found, nil
}

// Listing is a snapshot's listing while it is read. Not for concurrent use.
type Listing struct {
	*snapshot.ListingReader
	*inOrder
}
