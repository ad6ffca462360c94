package vault

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// Kind is what an object is for.
type Kind string

// The kinds. The words are shown to people.
const (
	KindPack      Kind = "pack"
	KindSnapshot  Kind = "snapshot"
	KindConfig    Kind = "config"
	KindCare      Kind = "care list"
	KindDirectory Kind = "vault directory"
)

// Object is one thing on the grid that the vault needs.
type Object struct {
	Kind Kind
	Name string // for people; tells nothing secret
	Cap  tahoeclient.Cap
	Pack snapshot.Pack // of a pack; a caretaker does not know its ID
	// Snapshots are those that need it, newest first; a caretaker does not know.
	Snapshots []uint64
	// Pinned: only the pinned form of a snapshot needs it, which the directory
	// has in another form.
	Pinned bool
}

// Inventory is everything a vault consists of, as of one reading.
type Inventory struct {
	Objects []Object        // snapshots and their like first, then packs
	Infos   []snapshot.Info // newest first
	// Broken are snapshots that are linked and cannot be read, and so what
	// they alone need is missing from Objects.
	Broken map[uint64]error
}

// Inventory lists what d needs, and the pinned snapshot.
func (v *Vault) Inventory(ctx context.Context, d *Directory) (*Inventory, error) {
	links, pinned := d.Links(), v.pinned
	if pinned.Sequence != 0 && d.Snapshots[pinned.Sequence] != pinned.Cap {
		links = append(links, pinned)
	}
	inv := &Inventory{Broken: make(map[uint64]error)}
	inv.add(Object{Kind: KindDirectory, Name: string(KindDirectory), Cap: v.dir})
	inv.add(Object{Kind: KindConfig, Name: string(KindConfig), Cap: d.config})
	inv.add(Object{Kind: KindCare, Name: string(KindCare), Cap: d.care})
	for _, l := range links {
		inv.add(Object{Kind: KindSnapshot, Name: fmt.Sprintf("snapshot %d", l.Sequence), Cap: l.Cap, Snapshots: []uint64{l.Sequence}, Pinned: d.Snapshots[l.Sequence] != l.Cap})
	}
	packs := make(map[tahoeclient.Cap]int)
	err := v.eachSnapshot(ctx, links, func(l Link, s *snapshot.Snapshot, err error) {
		if err != nil {
			inv.Broken[l.Sequence] = err
			return
		}
		outside := d.Snapshots[l.Sequence] != l.Cap // comes last
		if !outside {
			inv.Infos = append(inv.Infos, s.Info)
		}
		for _, id := range snapshot.SortedPacks(s.Packs) {
			p := s.Packs[id]
			i, known := packs[p.Cap]
			if !known {
				i = len(inv.Objects)
				packs[p.Cap] = i
				inv.add(Object{Kind: KindPack, Name: fmt.Sprintf("pack %v", id), Cap: p.Cap, Pack: p, Pinned: outside})
			}
			inv.Objects[i].Snapshots = append(inv.Objects[i].Snapshots, l.Sequence)
		}
	})
	return inv, err
}

// add leaves out what is not there and what lives in its own capability.
func (inv *Inventory) add(o Object) {
	if !o.Cap.IsZero() && o.Cap != none {
		inv.Objects = append(inv.Objects, o)
	}
}

// Link is one snapshot's place.
type Link struct {
	Sequence uint64
	Cap      tahoeclient.Cap
}

// Links are the snapshots of d, newest first.
func (d *Directory) Links() []Link {
	var links []Link
	for _, n := range d.Numbers() {
		links = append(links, Link{n, d.Snapshots[n]})
	}
	return links
}

// eachSnapshot loads some at once and hands them on in the order of links.
// Memory holds a few at a time.
func (v *Vault) eachSnapshot(ctx context.Context, links []Link, use func(Link, *snapshot.Snapshot, error)) error {
	for batch := range slices.Chunk(links, inFlight) {
		loaded, errs := make([]*snapshot.Snapshot, len(batch)), make([]error, len(batch))
		var g errgroup.Group
		for i, l := range batch {
			g.Go(func() error {
				loaded[i], errs[i] = v.Load(ctx, l.Cap, l.Sequence)
				return nil
			})
		}
		g.Wait()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for i, l := range batch {
			use(l, loaded[i], errs[i])
		}
	}
	return nil
}
