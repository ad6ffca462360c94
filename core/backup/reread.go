package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// footers are the chunks of the new packs as the grid gives them back, by
// offset: 16 bytes each, with as much of the name as tells two apart.
type footers map[snapshot.PackID][]footing

type footing struct {
	offset uint32
	name   uint64
}

func footingOf(r snapshot.ChunkRef) footing {
	return footing{r.Offset, binary.LittleEndian.Uint64(r.ID[:])}
}

// holds reports whether a chunk in a new pack is where ref says; of older packs
// nothing is known.
func (f footers) holds(ref snapshot.ChunkRef) bool {
	chunks, fresh := f[ref.Pack]
	if !fresh {
		return true
	}
	i, ok := slices.BinarySearchFunc(chunks, ref.Offset, func(c footing, offset uint32) int { return int(c.offset) - int(offset) })
	return ok && chunks[i] == footingOf(ref)
}

// verify confirms the new packs and reads the new listings back.
func (r *repack) verify(ctx context.Context) error {
	found, err := r.confirm(ctx)
	if err != nil {
		return err
	}
	for _, k := range r.kept {
		if !k.changed {
			continue
		}
		s, err := r.v.Load(ctx, k.link.Cap, k.link.Sequence)
		if err != nil {
			return err
		}
		if err := r.reread(ctx, r.renewed(s), k, found); err != nil {
			return fmt.Errorf("the new listing of snapshot %d: %w", s.Sequence, err)
		}
	}
	return nil
}

// confirm asks for the shares of every new pack and reads its footer back.
func (r *repack) confirm(ctx context.Context) (footers, error) {
	found := make(footers, len(r.stored))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(smallRequests)
	var mu sync.Mutex
	for id, p := range r.stored {
		g.Go(func() error {
			h, err := r.v.Check(gctx, p)
			if err != nil {
				return err
			}
			if !h.Recoverable {
				return fmt.Errorf("pack %v: %w", id, vault.ErrNotStored)
			}
			refs, err := r.v.Contents(gctx, p)
			if err != nil {
				return err
			}
			chunks := make([]footing, len(refs))
			for i, ref := range refs {
				chunks[i] = footingOf(ref) // in the order they were added: by offset
			}
			mu.Lock()
			defer mu.Unlock()
			found[id] = chunks
			if !h.Healthy {
				r.report.Weak++
			}
			return nil
		})
	}
	err := g.Wait()
	return found, err
}

// reread reads a new listing to its end: its entries must be those of the old
// one but for their places, and every place one where the chunk is.
func (r *repack) reread(ctx context.Context, s *snapshot.Snapshot, k *kept, found footers) error {
	l, err := r.v.Listing(ctx, s, r.tracker.Moved)
	if err != nil {
		return err
	}
	defer l.Close()
	digest := newPlaceless()
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, ref := range e.Chunks {
			if err := s.CheckRef(ref); err != nil {
				return err
			}
			if !found.holds(ref) {
				return vault.ErrNotStored
			}
		}
		if err := digest.add(e); err != nil {
			return err
		}
	}
	if digest.sum() != k.digest {
		return vault.ErrNotStored
	}
	return nil
}
