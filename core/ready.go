package core

import (
	"context"
	"slices"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/upkeep"
	"hiddenbackup/core/vault"
)

// An Item is one line of the list behind "ready to wipe?".
type Item string

// The items, in the order in which people work through them.
const (
	ItemSnapshot  Item = "snapshot"  // there is one, and no file changed since
	ItemReadBack  Item = "read-back" // its packs were read back
	ItemRehearsal Item = "rehearsal" // it was restored as if everything were lost
	ItemRecall    Item = "recall"    // the passphrase was typed from memory lately
	ItemHolders   Item = "holders"   // enough people confirmed to have this manifest
	ItemKept      Item = "kept"      // servers keep it until after the return
	ItemOperators Item = "operators" // any one operator may vanish
	ItemTime      Item = "time"      // how long a restore takes was measured
)

// Items lists them all.
var Items = []Item{ItemSnapshot, ItemReadBack, ItemRehearsal, ItemRecall, ItemHolders, ItemKept, ItemOperators, ItemTime}

const (
	// recallTime is how long a passphrase that was typed once is taken to be
	// remembered.
	recallTime = 14 * 24 * time.Hour
	// afterReturn is how long a journey may take longer than planned.
	afterReturn = 30 * 24 * time.Hour
	// careTime is how old a caretaker's confirmation may be: her renewals
	// outlast it.
	careTime = LeaseTime
	// enoughRead is the damage, in percent of the packs, that reading a sample
	// must be likely to find.
	enoughRead = 10
	// EnoughHolders is how many people should have the manifest.
	EnoughHolders = 2
)

// ReadyPlan is what "ready" is judged by.
type ReadyPlan struct {
	Return  time.Time // zero: unknown, and then nothing is kept long enough
	Holders int       // 0: EnoughHolders
}

// Readiness are the facts of the list. Nothing counts that is not proven, dated
// and about the newest snapshot.
type Readiness struct {
	Newest  snapshot.Info
	Pending backup.Estimate // what a backup now would add
	Missing []string        // folders of the manifest that the newest snapshot lacks
	Proofs  Proofs
	// Generation is that of the manifest at hand; only its holders count.
	Generation uint64
	Holders    []vault.Receipt
	Wanted     int // holders
	// Caretakers confirmed within the last month to look after the backup.
	Caretakers []vault.Receipt
	// Forever: every server is said to delete nothing by itself.
	Forever   bool
	Practice  bool      // all servers are on this computer
	KeepUntil time.Time // the return and a month; zero: unknown
	Operators []string  // distinct, as the manifest names them
	// Tiers are the sizes of what comes back, Rate the bytes of content a
	// second of the rehearsal.
	Tiers [4]uint64
	Rate  float64

	at time.Time
}

// Ready collects the facts. It changes nothing.
func (g *Grid) Ready(ctx context.Context, p ReadyPlan, t *progress.Tracker) (*Readiness, error) {
	owner := g.access.owner
	if owner == nil {
		return nil, ErrReadOnly
	}
	r := &Readiness{at: time.Now(), Wanted: p.Holders, Generation: owner.Generation}
	if r.Wanted <= 0 {
		r.Wanted = EnoughHolders
	}
	var err error
	if r.Proofs, err = g.Proofs(ctx); err != nil {
		return nil, err
	}
	r.Newest = r.Proofs.Newest
	t.SetPhase(progress.PhaseEstimate)
	if r.Newest.Sequence > 0 {
		if r.Pending, err = g.EstimateBackup(ctx, BackupPlan{}); err != nil {
			return nil, err
		}
		if err := g.tiers(ctx, r); err != nil {
			return nil, err
		}
	}
	if !p.Return.IsZero() {
		r.KeepUntil = p.Return.Add(afterReturn)
	}
	for _, h := range r.Proofs.Receipts {
		switch {
		case h.Confirmed.IsZero():
		case h.Role == vault.RoleHolder && h.Generation == r.Generation:
			r.Holders = append(r.Holders, h)
		case h.Role == vault.RoleCaretaker && r.within(h.Confirmed, careTime):
			r.Caretakers = append(r.Caretakers, h)
		}
	}
	r.Practice = g.grid.Network == manifest.NetworkPractice
	r.Forever = len(g.grid.Servers) > 0
	for _, s := range g.grid.Servers {
		r.Forever = r.Forever && s.LeaseDays == manifest.LeaseForever
		if s.Operator != "" && !slices.Contains(r.Operators, s.Operator) {
			r.Operators = append(r.Operators, s.Operator)
		}
	}
	if x := r.Proofs.Rehearsed; x.Elapsed > 0 && x.Bytes > 0 {
		r.Rate = float64(x.Bytes) / x.Elapsed.Seconds()
	}
	t.SetPhase(progress.PhaseDone)
	return r, nil
}

// tiers adds up the content of the newest snapshot by tier.
func (g *Grid) tiers(ctx context.Context, r *Readiness) error {
	chosen, err := g.Choose(ctx, r.Newest.Sequence)
	if err != nil {
		return err
	}
	r.Missing = chosen.Missing
	tier := make(map[string]uint8)
	for _, f := range chosen.Folders {
		tier[f.Name] = min(f.Tier, 3)
	}
	return g.Entries(ctx, chosen.Snapshot, func(e *snapshot.Entry) error {
		if e.Type == snapshot.TypeFile {
			r.Tiers[tier[e.Folder()]] += uint64(e.Size)
		}
		return nil
	})
}

// Green reports whether an item is proven. What is not known is not green.
func (r *Readiness) Green(item Item) bool {
	newest := r.Newest.Sequence
	if newest == 0 {
		return false
	}
	p := r.Proofs
	about := func(snapshot uint64, form [32]byte) bool { return snapshot == newest && form == p.Form }
	checked := about(p.Checked.Snapshot, p.Checked.Form) && p.Checked.Lost == 0
	verified := about(p.Verified.Snapshot, p.Verified.Form) && p.Verified.Lost == 0 &&
		(p.Verified.Read >= p.Verified.Packs || upkeep.Prove(int(p.Verified.Read), int(p.Verified.Packs)).Percent() <= enoughRead)
	rehearsed := about(p.Rehearsed.Snapshot, p.Rehearsed.Form) && p.Rehearsed.Passed
	switch item {
	case ItemSnapshot:
		return !p.RolledBack && len(r.Missing) == 0 && r.Pending.Parent == newest && r.Pending.New+r.Pending.Changed == 0 && len(r.Pending.Problems) == 0
	case ItemReadBack:
		return checked && verified || rehearsed && p.Rehearsed.Full
	case ItemRehearsal:
		return rehearsed
	case ItemRecall:
		return r.within(p.Recalled, recallTime)
	case ItemHolders:
		return len(r.Holders) >= r.Wanted
	case ItemKept:
		return r.Forever || !r.KeepUntil.IsZero() && (len(r.Caretakers) > 0 || p.Leases.After(r.KeepUntil))
	case ItemOperators:
		return checked && p.Checked.Operators >= 1
	case ItemTime:
		return rehearsed && r.Rate > 0
	}
	return false
}

// within reports whether a proof is so young. One from the future proves
// nothing: some clock is wrong.
func (r *Readiness) within(proof time.Time, age time.Duration) bool {
	return !proof.IsZero() && !proof.After(r.at.Add(time.Minute)) && r.at.Sub(proof) < age
}

// Ready reports whether everything is green.
func (r *Readiness) Ready() bool {
	return !slices.ContainsFunc(Items, func(i Item) bool { return !r.Green(i) })
}

// RestoreTime estimates how long the tiers up to this one take to come back; 0
// when no rate was measured.
func (r *Readiness) RestoreTime(tier int) time.Duration {
	if r.Rate <= 0 {
		return 0
	}
	var sum uint64
	for i := range min(tier, 3) + 1 {
		sum += r.Tiers[i]
	}
	return time.Duration(float64(sum) / r.Rate * float64(time.Second))
}
