package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// A caretaker has the read-cap of the vault directory, whose children are
// sealed files, and the key of the care list, which names the packs. That is
// enough to check, repair and renew everything but the directory's shares, and
// it reads nothing.

// HasCaretakers reports whether there is a care list to keep up to date.
func (d *Directory) HasCaretakers() bool { return !d.care.IsZero() && d.care != none }

// StartCare stores the care list for a first caretaker; from then on each
// Commit keeps it up to date. With one there already it makes it anew from the
// snapshots. The mark is given up in the same update.
func (w *Writer) StartCare(ctx context.Context) error {
	files, err := w.v.careFiles(ctx, w.d)
	if err != nil {
		return err
	}
	stored, err := w.v.putCareList(ctx, files)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.change(ctx, map[string]tahoeclient.Cap{nameCare: stored, nameWriter: none}, nil); err != nil {
		return fmt.Errorf("linking the care list: %w", err)
	}
	return nil
}

// careFiles is what d needs beside its own children. What a snapshot needs that
// cannot be read for the moment must not drop out: that is an error. Where one is
// lost for good, the old list says what else there was.
func (v *Vault) careFiles(ctx context.Context, d *Directory) ([]tahoeclient.Cap, error) {
	inv, err := v.Inventory(ctx, d)
	if err != nil {
		return nil, err
	}
	var files []tahoeclient.Cap
	for _, o := range inv.Objects {
		if o.Kind == KindPack || o.Kind == KindSnapshot && o.Pinned {
			files = append(files, o.Cap)
		}
	}
	for _, err := range inv.Broken {
		if !v.lost(ctx, err) {
			return nil, err
		}
	}
	if len(inv.Broken) > 0 && d.HasCaretakers() {
		old, err := readCareList(ctx, v.client, v.Keys.CareKey(), d.care)
		if err != nil && !v.lost(ctx, err) {
			return nil, err
		}
		files = union(files, old)
	}
	return files, nil
}

// lost reports whether an error about an object will stay: it cannot be read,
// and that is not for servers that are away.
func (v *Vault) lost(ctx context.Context, err error) bool {
	return Unreadable(err) && v.allThere(ctx)
}

func (v *Vault) allThere(ctx context.Context) bool {
	grid, err := v.client.Grid(ctx)
	return err == nil && grid.Usable() == len(grid.Servers)
}

// extendCareList stores the care list of d with the packs of s.
func (v *Vault) extendCareList(ctx context.Context, d *Directory, s *snapshot.Snapshot) (tahoeclient.Cap, error) {
	files, err := readCareList(ctx, v.client, v.Keys.CareKey(), d.care)
	if err != nil && v.lost(ctx, err) {
		files, err = v.careFiles(ctx, d)
	}
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	var packs []tahoeclient.Cap
	for _, p := range s.Packs {
		packs = append(packs, p.Cap)
	}
	return v.putCareList(ctx, union(files, packs))
}

func union(a, b []tahoeclient.Cap) []tahoeclient.Cap {
	known := make(map[tahoeclient.Cap]bool, len(a))
	for _, c := range a {
		known[c] = true
	}
	for _, c := range b {
		if !known[c] {
			known[c] = true
			a = append(a, c)
		}
	}
	return a
}

func (v *Vault) putCareList(ctx context.Context, files []tahoeclient.Cap) (tahoeclient.Cap, error) {
	// In an order that tells nothing about which snapshot brought what.
	slices.SortFunc(files, func(a, b tahoeclient.Cap) int { return strings.Compare(a.Secret(), b.Secret()) })
	sealed, err := v.Keys.CareKey().Seal(files)
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	c, err := v.put(ctx, sealed)
	if err != nil {
		return tahoeclient.Cap{}, fmt.Errorf("storing the care list: %w", err)
	}
	return c, nil
}

func readCareList(ctx context.Context, client *tahoeclient.Client, key snapshot.CareKey, c tahoeclient.Cap) ([]tahoeclient.Cap, error) {
	size, ok := c.Size()
	if !ok {
		return nil, fmt.Errorf("%w: the vault has no care list", snapshot.ErrFormat)
	}
	sealed, err := client.ReadAll(ctx, c, 0, size)
	if err != nil {
		return nil, fmt.Errorf("fetching the care list: %w", err)
	}
	return key.Open(sealed)
}

// CareObjects lists what a caretaker looks after: the vault directory behind the
// read-cap dir, its children, and the packs. Even when the care list cannot be
// read, what else there is comes back with the error.
func CareObjects(ctx context.Context, client *tahoeclient.Client, dir tahoeclient.Cap, key snapshot.CareKey) ([]Object, error) {
	d, err := readDirectory(ctx, client, dir)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{}
	inv.add(Object{Kind: KindDirectory, Name: string(KindDirectory), Cap: dir})
	inv.add(Object{Kind: KindConfig, Name: string(KindConfig), Cap: d.config})
	inv.add(Object{Kind: KindCare, Name: string(KindCare), Cap: d.care})
	for _, l := range d.Links() {
		inv.add(Object{Kind: KindSnapshot, Name: fmt.Sprintf("snapshot %d", l.Sequence), Cap: l.Cap})
	}
	files, err := readCareList(ctx, client, key, d.care)
	for i, c := range files {
		inv.add(Object{Kind: KindPack, Name: fmt.Sprintf("pack %d", i+1), Cap: c})
	}
	return inv.Objects, err
}
