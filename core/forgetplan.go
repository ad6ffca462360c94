package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/retain"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// ForgetPlan says which snapshots to forget: those that no rule of Keep keeps,
// or those in Numbers, if there are any, whatever Keep says.
type ForgetPlan struct {
	Keep    retain.Rules
	Numbers []uint64
	// NoRepack leaves packs as they are, however little of them is needed.
	NoRepack  bool
	BreakMark bool // take over from a run that seems alive
}

// Verdict is what becomes of one snapshot.
type Verdict struct {
	Info   snapshot.Info   // only the number, where it cannot be read
	Keep   []retain.Reason // why it stays; empty: it is forgotten
	Broken error           // why it cannot be read
}

var (
	// ErrStays: a snapshot that must not be forgotten.
	ErrStays = errors.New("the newest snapshot and the pinned one are never forgotten")
	// ErrUnread: a snapshot that stays cannot be read, so nobody knows what it
	// needs.
	ErrUnread = errors.New("a snapshot that stays cannot be read")
	// ErrRolledBack: the grid shows a state older than the pin; to write now would
	// bury the newer one.
	ErrRolledBack = errors.New("the grid shows an older state than the manifest's pin")
)

// forgetting is a plan held against the vault.
type forgetting struct {
	*Snapshots
	inventory *vault.Inventory
	verdicts  []Verdict // newest first
	drop      []uint64  // newest first
}

// judge reads the vault and decides. It changes nothing.
func (g *Grid) judge(ctx context.Context, p ForgetPlan) (*forgetting, error) {
	s, inv, err := g.inventory(ctx)
	if err != nil {
		return nil, err
	}
	if s.NoVault != nil {
		return nil, s.NoVault
	}
	if s.RolledBack {
		return nil, ErrRolledBack
	}
	f := &forgetting{Snapshots: s, inventory: inv}
	newest := s.dir.Newest()
	for _, n := range p.Numbers {
		if _, ok := s.dir.Snapshots[n]; !ok {
			return nil, fmt.Errorf("%w: %d", vault.ErrNoSnapshot, n)
		}
		if n == newest || n == s.Pinned {
			return nil, fmt.Errorf("%w: %d", ErrStays, n)
		}
	}
	byRule := p.Keep.Keep(inv.Infos, time.Local)
	infos := make(map[uint64]snapshot.Info)
	for _, i := range inv.Infos {
		infos[i.Sequence] = i
	}
	for _, n := range s.dir.Numbers() {
		v := Verdict{Info: infos[n], Broken: inv.Broken[n]}
		v.Info.Sequence = n
		if n == newest {
			v.Keep = append(v.Keep, retain.Newest)
		}
		if n == s.Pinned {
			v.Keep = append(v.Keep, retain.Pinned)
		}
		switch {
		case len(p.Numbers) == 0 && v.Broken != nil:
			v.Keep = append(v.Keep, retain.Unreadable)
		case len(p.Numbers) == 0:
			v.Keep = append(v.Keep, byRule[n]...)
		case !slices.Contains(p.Numbers, n) && len(v.Keep) == 0:
			v.Keep = append(v.Keep, retain.Unnamed)
		}
		if len(v.Keep) == 0 {
			f.drop = append(f.drop, n)
		}
		f.verdicts = append(f.verdicts, v)
	}
	return f, nil
}

// unread is ErrUnread for the snapshots that stay and cannot be read; nil when
// there are none.
func (f *forgetting) unread() error {
	for _, n := range slices.Sorted(maps.Keys(f.inventory.Broken)) {
		if !slices.Contains(f.drop, n) {
			return fmt.Errorf("%w: snapshot %d: %v", ErrUnread, n, f.inventory.Broken[n])
		}
	}
	return nil
}

// stay are the snapshots that are not forgotten, newest first.
func (f *forgetting) stay() []vault.Link {
	return slices.DeleteFunc(f.dir.Links(), func(l vault.Link) bool { return slices.Contains(f.drop, l.Sequence) })
}

// unused counts the packs that needed rejects, and their bytes.
func (f *forgetting) unused(needed func(vault.Object) bool) (packs int, bytes int64) {
	for _, o := range f.inventory.Objects {
		if o.Kind == vault.KindPack && !needed(o) {
			packs++
			bytes += o.Pack.Size
		}
	}
	return packs, bytes
}

// neededByOthers reports whether a snapshot that stays names the pack.
func (f *forgetting) neededByOthers(o vault.Object) bool {
	return slices.ContainsFunc(o.Snapshots, func(n uint64) bool { return !slices.Contains(f.drop, n) })
}

// Expiry says what becomes of data that nothing renews any more, as far as the
// manifest knows the servers.
type Expiry struct {
	Servers int // that the manifest names; 0 when an introducer does
	Never   int // of those: delete nothing by themselves
	Unknown int // of those: nobody said
	// Days is the longest lease of the others, Latest when it runs out at the
	// latest; zero if there are no others.
	Days   int
	Latest time.Time
}

// expiry counts from now, as the last renewal was no later.
func (g *Grid) expiry() Expiry {
	e := Expiry{Servers: len(g.grid.Servers)}
	for _, s := range g.grid.Servers {
		switch s.LeaseDays {
		case manifest.LeaseForever:
			e.Never++
		case 0:
			e.Unknown++
		default:
			e.Days = max(e.Days, s.LeaseDays)
		}
	}
	if e.Days > 0 {
		e.Latest = now().AddDate(0, 0, e.Days)
	}
	return e
}
