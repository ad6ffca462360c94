package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// ReadPack fetches a pack and opens every chunk in it: what a restore would do
// with all of it, and the proof that it can. It returns the pack's bytes.
func (v *Vault) ReadPack(ctx context.Context, p snapshot.Pack, moved func(int64)) ([]byte, error) {
	body, err := v.client.Get(ctx, p.Cap, 0, p.Size)
	if err != nil {
		return nil, fmt.Errorf("fetching pack %v: %w", p.ID, err)
	}
	defer body.Close()
	data := make([]byte, p.Size)
	if _, err := io.ReadFull(&meteredBody{Reader: body, ctx: ctx, limit: v.limits.Download, moved: moved}, data); err != nil {
		return nil, fmt.Errorf("fetching pack %v: %w", p.ID, err)
	}
	at, n, err := snapshot.TrailerRange(p.Size)
	if err == nil {
		at, n, err = v.Keys.ReadTrailer(data[at:at+n], p.Size)
	}
	var id snapshot.PackID
	var refs []snapshot.ChunkRef
	if err == nil {
		id, refs, err = v.Keys.ReadFooter(data[at : at+n])
	}
	if err == nil && id != p.ID {
		err = fmt.Errorf("%w: it is pack %v", snapshot.ErrFormat, id)
	}
	var plain []byte
	for _, c := range refs {
		if err != nil {
			break
		}
		if end := int64(c.Offset) + int64(c.Sealed); end > p.Size {
			err = fmt.Errorf("%w: chunk beyond the end", snapshot.ErrFormat)
		} else {
			plain, err = v.Keys.OpenChunk(plain[:0], data[c.Offset:end], c)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("pack %v: %w", p.ID, err)
	}
	return data, nil
}

// ReplacePack stores the content of a readable pack again as a new file, which
// shares nothing with the old one: the cure for corrupt shares, which Tahoe
// does not mend. Snapshots do not know it before Reissue.
func (v *Vault) ReplacePack(ctx context.Context, p snapshot.Pack, moved func(int64)) (snapshot.Pack, error) {
	data, err := v.ReadPack(ctx, p, moved)
	if err != nil {
		return snapshot.Pack{}, err
	}
	if err := v.Keys.Reseal(data); err != nil {
		return snapshot.Pack{}, fmt.Errorf("pack %v: %w", p.ID, err)
	}
	fresh, err := v.PutPack(ctx, p.ID, data, moved)
	if err != nil {
		return snapshot.Pack{}, err
	}
	h, err := v.Check(ctx, fresh)
	if err == nil && !h.Recoverable {
		err = fmt.Errorf("pack %v: %w", p.ID, ErrNotStored)
	}
	return fresh, err
}

// Change is what Reissue makes of the vault's snapshots.
type Change struct {
	// Pinned may name a snapshot outside the directory that is kept alive, too.
	Pinned Link
	// Drop are snapshots to unlink. The newest must not be among them: its
	// number is never given again.
	Drop []uint64
	// Renew returns a snapshot's new form, which keeps its number: itself to
	// have it stored again, nil to leave it as it is. nil leaves all.
	Renew func(*snapshot.Snapshot) (*snapshot.Snapshot, error)
	// Strict changes nothing while a snapshot that stays, the pinned one too,
	// cannot be read: what it needs is not known then.
	Strict bool
}

// Reissue changes snapshots: the new forms and the care list are linked in one
// update, then what is dropped is unlinked, then the mark is given up. One that
// is cut off has done part of that, and doing it again does the rest. Snapshots
// that cannot be read stay as they are, unless Strict is set. It returns the
// numbers of those issued anew.
func (w *Writer) Reissue(ctx context.Context, c Change) ([]uint64, error) {
	links, numbers, err := w.reissued(ctx, c) // may take long: the mark is renewed meanwhile
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(c.Drop) == 0 {
		links[nameWriter] = none
	}
	if len(links) > 0 {
		if err := w.change(ctx, links, nil); err != nil {
			return nil, fmt.Errorf("linking the new form of snapshots: %w", err)
		}
	}
	if len(c.Drop) == 0 {
		return numbers, nil
	}
	for _, n := range c.Drop {
		if err := w.v.client.Unlink(ctx, w.v.dir, snapshotName(n)); err != nil && !errors.Is(err, tahoeclient.ErrNoChild) {
			return nil, fmt.Errorf("unlinking snapshot %d: %w", n, err)
		}
	}
	return numbers, w.change(ctx, map[string]tahoeclient.Cap{nameWriter: none}, func(d *Directory) error {
		for _, n := range c.Drop {
			if _, still := d.Snapshots[n]; still {
				return fmt.Errorf("unlinking snapshot %d: %w", n, ErrNotStored)
			}
		}
		return nil
	})
}

// reissued stores the new forms and returns what is to be linked.
func (w *Writer) reissued(ctx context.Context, c Change) (map[string]tahoeclient.Cap, []uint64, error) {
	links := make(map[string]tahoeclient.Cap)
	after := *w.d
	after.Snapshots = make(map[uint64]tahoeclient.Cap)
	var numbers []uint64
	for _, l := range slices.Backward(w.d.Links()) { // oldest first
		if slices.Contains(c.Drop, l.Sequence) {
			continue
		}
		after.Snapshots[l.Sequence] = l.Cap
		if c.Renew == nil && !c.Strict {
			continue
		}
		s, err := w.v.Load(ctx, l.Cap, l.Sequence)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err != nil && c.Strict {
			return nil, nil, err
		}
		if err != nil || c.Renew == nil {
			continue
		}
		fresh, err := c.Renew(s)
		if err != nil {
			return nil, nil, err
		}
		if fresh == nil {
			continue
		}
		stored, err := w.v.putSnapshot(ctx, fresh)
		if err != nil {
			return nil, nil, err
		}
		links[snapshotName(l.Sequence)], after.Snapshots[l.Sequence] = stored, stored
		numbers = append(numbers, l.Sequence)
	}
	if !w.d.HasCaretakers() {
		return links, numbers, nil
	}
	var err error
	links[nameCare], err = w.v.newCareList(ctx, &after, c.Pinned, c.Strict)
	return links, numbers, err
}
