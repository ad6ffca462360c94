package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/upkeep"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// CheckPlan says how thorough a check is and what it does besides. The zero
// value asks the servers which shares they have.
type CheckPlan struct {
	// Download fetches every share of every object, and opens every chunk of
	// every pack; with Sample above 0 only of so many packs, chosen at random.
	Download bool
	Sample   int
	Repair   bool
	Renew    bool // the leases of everything
}

// CheckReport is the outcome of Check, after what was repaired.
type CheckReport struct {
	upkeep.Report
	Newest    snapshot.Info
	Snapshots int
	// Broken are snapshots that are linked and cannot be opened.
	Broken map[uint64]error
	// Proof says what a sample proves; zero for another check.
	Proof upkeep.Assurance
	// Replaced names objects that were stored anew because Tahoe does not mend
	// them in place, Reissued the snapshots that name their new place.
	Replaced []string
	Reissued []uint64
	// Stale: the manifest's pin names a form of a snapshot that is damaged and
	// not mended; sealing it again with a new pin ends that.
	Stale bool
	// RolledBack and NoVault: see Snapshots.
	RolledBack bool
	NoVault    error
	// Unrecorded says why the outcome could not be noted in the vault.
	Unrecorded error
}

// ErrLost: something the backup needs cannot be read any more.
var ErrLost = errors.New("something the backup needs cannot be read any more")

// Err is ErrLost when something cannot be read, or ErrTooFewServers when that
// may be because servers are away.
func (r *CheckReport) Err() error { return lossOf(r.Report, len(r.Broken)) }

func lossOf(r upkeep.Report, broken int) error {
	switch {
	case r.States[upkeep.Lost]+broken == 0 && r.States[upkeep.Unknown] > 0:
		return r.Of(upkeep.Unknown)[0].Err
	case r.States[upkeep.Lost]+broken == 0:
		return nil
	case r.Away > 0:
		return fmt.Errorf("%w: %d of them are away, and what could not be read may be there", ErrTooFewServers, r.Away)
	}
	return ErrLost
}

// Weak reports whether something is worse than planned and can be read.
func (r *CheckReport) Weak() bool {
	return r.States[upkeep.Weak]+r.States[upkeep.Damaged] > 0 || r.NoVault != nil || r.RolledBack || r.Away > 0 || r.Stale
}

// Check goes over everything the vault needs. Repair and Renew need the owner's
// manifest. Its error means that the check did not get to its end.
func (g *Grid) Check(ctx context.Context, c Config, p CheckPlan, t *progress.Tracker) (CheckReport, error) {
	started := time.Now()
	owner := g.access.owner != nil
	if (p.Repair || p.Renew) && !owner {
		return CheckReport{}, ErrReadOnly
	}
	if owner {
		unlock, err := lock(c, g.access)
		if err != nil {
			return CheckReport{}, err
		}
		defer unlock()
	}
	if err := g.WaitToRead(ctx); err != nil {
		return CheckReport{}, err
	}
	s, inv, err := g.inventory(ctx)
	if err != nil {
		return CheckReport{}, err
	}
	if p.Repair && s.RolledBack {
		return CheckReport{}, ErrRolledBack // writing would bury the newer state
	}
	if p.Repair && s.NoVault == nil {
		// Publishing the directory again, under the mark, places its missing
		// shares and those of the config.
		if err := g.vault.Amend(ctx, false, func(*vault.Config) error { return nil }); err != nil {
			return CheckReport{}, err
		}
		if s, inv, err = g.inventory(ctx); err != nil {
			return CheckReport{}, err
		}
	}
	o := upkeep.Options{
		Verify: p.Download, Sample: p.Sample, Repair: p.Repair, Renew: p.Renew, Operator: g.operators(),
		Read: func(ctx context.Context, o vault.Object) error {
			_, err := g.vault.ReadPack(ctx, o.Pack, t.Moved)
			return err
		},
	}
	report := CheckReport{RolledBack: s.RolledBack, NoVault: s.NoVault}
	report.Report, err = upkeep.Round(ctx, g.client, inv.Objects, o, t)
	if err != nil {
		return report, err
	}
	if p.Repair && s.NoVault == nil {
		if err := g.replace(ctx, s, &report, t); err != nil {
			return report, err
		}
	}
	if len(report.Replaced) > 0 {
		// What is new has other places; what was not replaced is as it was found.
		if s, inv, err = g.inventory(ctx); err != nil {
			return report, err
		}
		found := report.Report
		o.Verify, o.Repair = false, false
		if report.Report, err = upkeep.Round(ctx, g.client, inv.Objects, o, t); err != nil {
			return report, err
		}
		report.Report = report.Keep(found)
	}
	if p.Download && p.Sample > 0 && p.Sample < report.Packs && report.Err() == nil {
		report.Proof = upkeep.Prove(report.Read, report.Packs)
	}
	report.Snapshots, report.Broken = len(inv.Infos), inv.Broken
	if len(inv.Infos) > 0 {
		report.Newest = inv.Infos[0]
	}
	report.Elapsed = time.Since(started)
	switch {
	case !owner || s.NoVault != nil:
	case s.RolledBack: // to write now would bury the newer state
		report.Unrecorded = ErrRolledBack
	default:
		report.Unrecorded = g.vault.Amend(ctx, false, func(c *vault.Config) error {
			c.Proofs.Checked = report.outcome(g.vault.Form(s.dir, report.Newest.Sequence))
			if report.Read > 0 {
				c.Proofs.Verified = c.Proofs.Checked
			}
			if report.Renewed {
				c.Proofs.Renewed = now()
			}
			return nil
		})
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
	}
	t.SetPhase(progress.PhaseDone)
	return report, nil
}

// now is the time as proofs keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func (r *CheckReport) outcome(form [32]byte) vault.Check {
	return vault.Check{
		Time: now(), Snapshot: r.Newest.Sequence, Form: form, Objects: uint64(r.Objects), Packs: uint64(r.Packs), Read: uint64(r.Read),
		Lost: uint64(r.States[upkeep.Lost] + r.States[upkeep.Unknown] + len(r.Broken)), Weak: uint64(r.States[upkeep.Weak] + r.States[upkeep.Damaged]),
		Servers: r.Worst.Servers, Operators: r.Worst.Operators,
	}
}

// inventory reads the vault and lists what it needs, the pin included.
func (g *Grid) inventory(ctx context.Context) (*Snapshots, *vault.Inventory, error) {
	s, err := g.readVault(ctx)
	if err != nil {
		return nil, nil, err
	}
	inv, err := g.vault.Inventory(ctx, s.dir)
	return s, inv, err
}

// operators returns who runs a server in the owner's words, nil when the
// manifest says so for none.
func (g *Grid) operators() func(id string) string {
	names := make(map[string]string)
	for _, s := range g.grid.Servers {
		if s.Operator != "" {
			names[s.ID] = s.Operator
		}
	}
	if len(names) == 0 {
		return nil
	}
	return func(id string) string { return names[id] }
}

// replaceBatch is how much is stored anew before the snapshots learn of it: what
// a run that is cut off may lose.
const replaceBatch = 64 << 20

// replace stores anew what Tahoe does not mend in place: packs with corrupt
// shares or on too few servers, and snapshots like that. The config and the care
// list have been stored anew already, or are with the snapshots.
func (g *Grid) replace(ctx context.Context, s *Snapshots, report *CheckReport, t *progress.Tracker) error {
	b := batch{packs: make(map[tahoeclient.Cap]snapshot.Pack), snapshots: make(map[uint64]bool)}
	for _, f := range report.Of(upkeep.Damaged, upkeep.Weak) {
		if f.State == upkeep.Weak && f.Servers >= g.grid.Happy-g.grid.Needed {
			continue // as many servers as a backup promises
		}
		if f.Object.Pinned {
			report.Stale = true
			continue
		}
		t.SetPhase(progress.PhaseRepair)
		switch f.Object.Kind {
		case vault.KindPack:
			fresh, err := g.vault.ReplacePack(ctx, f.Object.Pack, t.Moved)
			if err != nil && vault.Unreadable(err) && ctx.Err() == nil {
				continue // the report still names it
			}
			if err != nil {
				return errors.Join(err, g.reissue(ctx, &b, report))
			}
			b.packs[f.Object.Cap] = fresh
			b.bytes += fresh.Size
		case vault.KindSnapshot:
			b.snapshots[f.Object.Snapshots[0]] = true
		case vault.KindCare:
			b.lists = true
		default:
			continue
		}
		b.names = append(b.names, f.Object.Name)
		if b.bytes >= replaceBatch {
			if err := g.reissue(ctx, &b, report); err != nil {
				return err
			}
		}
	}
	return g.reissue(ctx, &b, report)
}

// batch is what was stored anew and no snapshot names yet.
type batch struct {
	packs     map[tahoeclient.Cap]snapshot.Pack
	snapshots map[uint64]bool // to be stored anew themselves
	lists     bool
	bytes     int64
	names     []string
}

// reissue links a batch and empties it.
func (g *Grid) reissue(ctx context.Context, b *batch, report *CheckReport) error {
	if len(b.names) == 0 {
		return nil
	}
	err := g.vault.Hold(ctx, false, func(ctx context.Context, w *vault.Writer) error {
		numbers, err := w.Reissue(ctx, vault.Change{Renew: func(old *snapshot.Snapshot) (*snapshot.Snapshot, error) {
			if !swap(old, b.packs) && !b.snapshots[old.Sequence] {
				return nil, nil
			}
			return old, nil
		}})
		for _, n := range numbers {
			if !slices.Contains(report.Reissued, n) {
				report.Reissued = append(report.Reissued, n)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	report.Replaced = append(report.Replaced, b.names...)
	*b = batch{packs: make(map[tahoeclient.Cap]snapshot.Pack), snapshots: make(map[uint64]bool)}
	return nil
}

// swap puts new packs into the table of s and reports whether there were any.
func swap(s *snapshot.Snapshot, packs map[tahoeclient.Cap]snapshot.Pack) (changed bool) {
	for id, p := range s.Packs {
		if fresh, ok := packs[p.Cap]; ok {
			s.Packs[id] = fresh
			changed = true
		}
	}
	return changed
}
