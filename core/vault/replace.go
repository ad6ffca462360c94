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

// Reissue changes snapshots: the new forms are linked in one update, then what
// is dropped is unlinked, then the mark is given up. One that is cut off has done
// part of that, and doing it again does the rest. Snapshots that cannot be read
// stay as they are, unless Strict is set. It returns the numbers of those issued
// anew.
func (w *Writer) Reissue(ctx context.Context, c Change) ([]uint64, error) {
	links, numbers, after, err := w.reissued(ctx, c) // may take long: the mark is renewed meanwhile
	if err != nil {
		return nil, err
	}
	last := map[string]tahoeclient.Cap{nameWriter: none}
	if w.d.HasCaretakers() {
		if links[nameCare], last[nameCare], err = w.v.careLists(ctx, w.d, after, len(c.Drop) > 0); err != nil {
			return nil, err
		}
	}
	if len(c.Drop) == 0 {
		links[nameWriter] = none
		return numbers, w.link(ctx, links, nil)
	}
	links[nameWriter] = w.v.newMark(w.who)
	if err := w.link(ctx, links, nil); err != nil {
		return nil, err
	}
	for _, n := range c.Drop {
		if err := w.drop(ctx, n); err != nil {
			return nil, fmt.Errorf("unlinking snapshot %d: %w", n, err)
		}
	}
	return numbers, w.link(ctx, last, func(d *Directory) error {
		for _, n := range c.Drop {
			if _, still := d.Snapshots[n]; still {
				return fmt.Errorf("unlinking snapshot %d: %w", n, ErrNotStored)
			}
		}
		return nil
	})
}

func (w *Writer) link(ctx context.Context, links map[string]tahoeclient.Cap, allowed func(*Directory) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.change(ctx, links, allowed); err != nil {
		return fmt.Errorf("linking the new form of snapshots: %w", err)
	}
	return nil
}

// drop unlinks one snapshot as carefully as change changes children.
func (w *Writer) drop(ctx context.Context, n uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.holds(ctx); err != nil {
		return err
	}
	if err := w.v.requireServers(ctx); err != nil {
		return err
	}
	err := w.v.client.Unlink(ctx, w.v.dir, snapshotName(n))
	if errors.Is(err, tahoeclient.ErrNoChild) {
		return nil
	}
	return err
}

// careLists stores the care list that after needs. While snapshots are still to
// be unlinked, one with what the old list has, too, goes before it.
func (v *Vault) careLists(ctx context.Context, before, after *Directory, dropping bool) (first, last tahoeclient.Cap, err error) {
	files, err := v.careFiles(ctx, after)
	if err != nil {
		return first, last, err
	}
	if last, err = v.putCareList(ctx, slices.Clone(files)); err != nil || !dropping {
		return last, last, err
	}
	old, err := readCareList(ctx, v.client, v.Keys.CareKey(), before.care)
	if err != nil && !v.lost(ctx, err) {
		return first, last, err
	}
	first, err = v.putCareList(ctx, union(files, old))
	return first, last, err
}

// reissued stores the new forms. It returns what is to be linked and what the
// directory will be.
func (w *Writer) reissued(ctx context.Context, c Change) (links map[string]tahoeclient.Cap, numbers []uint64, after *Directory, err error) {
	links = make(map[string]tahoeclient.Cap)
	then := *w.d
	then.Snapshots = make(map[uint64]tahoeclient.Cap)
	for _, l := range slices.Backward(w.d.Links()) { // oldest first
		if slices.Contains(c.Drop, l.Sequence) {
			continue
		}
		then.Snapshots[l.Sequence] = l.Cap
		if c.Renew == nil && !c.Strict {
			continue
		}
		s, err := w.v.Load(ctx, l.Cap, l.Sequence)
		if ctx.Err() != nil {
			return nil, nil, nil, context.Cause(ctx)
		}
		if err != nil && c.Strict {
			return nil, nil, nil, err
		}
		if err != nil || c.Renew == nil {
			continue
		}
		fresh, err := c.Renew(s)
		if err != nil {
			return nil, nil, nil, err
		}
		if fresh == nil {
			continue
		}
		stored, err := w.v.putSnapshot(ctx, fresh)
		if err != nil {
			return nil, nil, nil, err
		}
		links[snapshotName(l.Sequence)], then.Snapshots[l.Sequence] = stored, stored
		numbers = append(numbers, l.Sequence)
	}
	return links, numbers, &then, nil
}
