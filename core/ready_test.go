package core

import (
	"testing"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// proven is a list with every point green.
func proven() *Readiness {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	check := vault.Check{Time: at, Snapshot: 7, Packs: 4, Read: 4, Servers: 3, Operators: 2}
	r := &Readiness{
		at: at, Newest: snapshot.Info{Sequence: 7, Time: at.Add(-time.Hour)}, Generation: 3, Wanted: 2,
		Holders:   []vault.Receipt{{Name: "Ana", Confirmed: at}, {Name: "Ben", Confirmed: at}},
		KeepUntil: at.Add(20 * 24 * time.Hour), Rate: 1000, Tiers: [4]uint64{0, 5000, 5000, 10000},
	}
	r.Pending.Parent = 7
	r.Proofs.Leases = at.Add(LeaseTime)
	r.Proofs.Checked, r.Proofs.Verified, r.Proofs.Recalled = check, check, at.Add(-13*24*time.Hour)
	r.Proofs.Rehearsed = vault.Rehearsal{Time: at, Snapshot: 7, Passed: true}
	return r
}

// A point that is green without its proof makes somebody wipe too early.
func TestReadyIsGreenOnlyWithItsProof(t *testing.T) {
	if r := proven(); !r.Ready() {
		for _, i := range Items {
			t.Errorf("%s: %v", i, r.Green(i))
		}
	}
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		change func(*Readiness)
		item   Item
	}{
		"the grid hides a newer state":      {func(r *Readiness) { r.Proofs.RolledBack = true }, ItemSnapshot},
		"a folder is not in it":             {func(r *Readiness) { r.Missing = []string{"papers"} }, ItemSnapshot},
		"a file changed since":              {func(r *Readiness) { r.Pending.Changed = 1 }, ItemSnapshot},
		"a file is new since":               {func(r *Readiness) { r.Pending.New = 1 }, ItemSnapshot},
		"a file cannot be read":             {func(r *Readiness) { r.Pending.Problems = []backup.Problem{{}} }, ItemSnapshot},
		"another snapshot was compared":     {func(r *Readiness) { r.Pending.Parent = 6 }, ItemSnapshot},
		"it was issued anew since":          {func(r *Readiness) { r.Proofs.Form[0]++ }, ItemReadBack},
		"too few packs were read":           {func(r *Readiness) { r.Proofs.Verified.Read, r.Proofs.Verified.Packs = 5, 1000 }, ItemReadBack},
		"nothing was read back":             {func(r *Readiness) { r.Proofs.Verified = vault.Check{} }, ItemReadBack},
		"an older snapshot was":             {func(r *Readiness) { r.Proofs.Verified.Snapshot = 6 }, ItemReadBack},
		"reading found a loss":              {func(r *Readiness) { r.Proofs.Verified.Lost = 1 }, ItemReadBack},
		"a later check found a loss":        {func(r *Readiness) { r.Proofs.Checked.Lost = 1 }, ItemReadBack},
		"the rehearsal failed":              {func(r *Readiness) { r.Proofs.Rehearsed.Passed = false }, ItemRehearsal},
		"an older snapshot was rehearsed":   {func(r *Readiness) { r.Proofs.Rehearsed.Snapshot = 6 }, ItemRehearsal},
		"the passphrase is from long ago":   {func(r *Readiness) { r.Proofs.Recalled = r.at.Add(-15 * day) }, ItemRecall},
		"the passphrase is from the future": {func(r *Readiness) { r.Proofs.Recalled = r.at.Add(day) }, ItemRecall},
		"the passphrase was never typed":    {func(r *Readiness) { r.Proofs.Recalled = time.Time{} }, ItemRecall},
		"one holder only":                   {func(r *Readiness) { r.Holders = r.Holders[:1] }, ItemHolders},
		"nobody knows the return":           {func(r *Readiness) { r.KeepUntil = time.Time{} }, ItemKept},
		"the leases end too early":          {func(r *Readiness) { r.KeepUntil = r.at.Add(60 * day) }, ItemKept},
		"one operator has it all":           {func(r *Readiness) { r.Proofs.Checked.Operators = 0 }, ItemOperators},
		"operators are not known":           {func(r *Readiness) { r.Proofs.Checked.Operators = -1 }, ItemOperators},
		"an older snapshot was checked":     {func(r *Readiness) { r.Proofs.Checked.Snapshot = 6 }, ItemOperators},
		"no rate was measured":              {func(r *Readiness) { r.Rate = 0 }, ItemTime},
	} {
		r := proven()
		c.change(r)
		if r.Green(c.item) || r.Ready() {
			t.Errorf("%s, and %s is green", name, c.item)
		}
	}
	r := proven()
	r.KeepUntil = r.at.Add(300 * day)
	r.Caretakers = []vault.Receipt{{Name: "Cleo"}}
	if !r.Green(ItemKept) {
		t.Error("a caretaker does not count")
	}
	r = proven()
	r.Proofs.Verified, r.Proofs.Rehearsed.Full = vault.Check{}, true
	if !r.Green(ItemReadBack) {
		t.Error("a full rehearsal reads everything back, and does not count")
	}
	for _, i := range Items {
		if (&Readiness{}).Green(i) {
			t.Errorf("nothing is known and %s is green", i)
		}
	}
}

func TestRestoreTimeAddsUpTheTiers(t *testing.T) {
	r := proven()
	if a, b := r.RestoreTime(1), r.RestoreTime(3); a != 5*time.Second || b != 20*time.Second {
		t.Errorf("tier 1 after %v, all after %v", a, b)
	}
}
