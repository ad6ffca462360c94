package backup

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// thinning packs at once: each holds up to half a pack in memory.
const parallelThin = 2

// sealedChunk is a chunk on its way from one pack into another.
type sealedChunk struct {
	ref    snapshot.ChunkRef
	sealed []byte
}

// thin moves the live chunks of those packs that are mostly dead. A pack that
// cannot be read, or whose footer does not know a chunk that a listing names,
// is left as it is.
func (r *repack) thin(ctx context.Context, packs []*usage, to *packer) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelThin)
	for _, u := range packs {
		if gctx.Err() != nil {
			break
		}
		if !u.mostlyDead() {
			u.live = spotSet{} // nobody asks any more
			continue
		}
		g.Go(func() error {
			chunks, err := r.fetchLive(gctx, u)
			r.mu.Lock()
			defer r.mu.Unlock()
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			if err != nil && vault.Unreadable(err) {
				r.report.Left = append(r.report.Left, err)
				return nil
			}
			if err != nil {
				return err
			}
			r.report.Thinned++
			return r.move(u, chunks, to)
		})
	}
	return g.Wait()
}

// fetchLive fetches the live chunks of a pack, in the order of u.live, and opens
// each.
func (r *repack) fetchLive(ctx context.Context, u *usage) ([]sealedChunk, error) {
	refs, err := r.v.Contents(ctx, u.pack)
	if err != nil {
		return nil, err
	}
	refs = slices.DeleteFunc(refs, func(ref snapshot.ChunkRef) bool {
		_, live := slices.BinarySearch(u.live.all, spotOf(ref))
		return !live
	})
	if len(refs) != len(u.live.all) {
		return nil, fmt.Errorf("%w: pack %v lacks a chunk that a listing names", snapshot.ErrFormat, u.pack.ID)
	}
	ranges, err := vault.Ranges(&snapshot.Snapshot{Packs: map[snapshot.PackID]snapshot.Pack{u.pack.ID: u.pack}}, refs)
	if err != nil {
		return nil, err
	}
	memory := make([]byte, 0, u.live.bytes())
	chunks := make([]sealedChunk, 0, len(refs))
	for _, want := range ranges {
		if err := r.v.FetchSealed(ctx, want, r.tracker.Moved, func(ref snapshot.ChunkRef, sealed []byte) error {
			start := len(memory)
			memory = append(memory, sealed...)
			chunks = append(chunks, sealedChunk{ref, memory[start:]})
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(chunks, func(a, b sealedChunk) int { return cmp.Compare(a.ref.Offset, b.ref.Offset) })
	for i, c := range chunks {
		if spotOf(c.ref) != u.live.all[i] {
			return nil, fmt.Errorf("%w: pack %v lists a chunk twice", snapshot.ErrFormat, u.pack.ID)
		}
	}
	return chunks, nil
}

// move places chunks in new packs and notes where.
func (r *repack) move(u *usage, chunks []sealedChunk, to *packer) error {
	moved := make([]spot, len(chunks))
	for i, c := range chunks {
		ref, err := to.add(c.ref.ID, c.sealed, int(c.ref.Length))
		if err != nil {
			return err
		}
		n, known := r.number[ref.Pack]
		if !known {
			n = uint32(len(r.fresh))
			r.fresh = append(r.fresh, ref.Pack)
			r.number[ref.Pack] = n
		}
		moved[i] = spot{n, ref.Offset}
	}
	u.moved = moved
	return nil
}

// place returns where a chunk is now.
func (r *repack) place(ref snapshot.ChunkRef) snapshot.ChunkRef {
	u := r.packs[ref.Pack]
	if u == nil || u.moved == nil {
		return ref
	}
	if i, ok := slices.BinarySearch(u.live.all, spotOf(ref)); ok {
		ref.Pack, ref.Offset = r.fresh[u.moved[i].pack], u.moved[i].offset
	}
	return ref
}
