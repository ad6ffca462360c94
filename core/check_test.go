package core

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/retain"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/upkeep"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient/tahoetest"
)

func (w *memory) check(p CheckPlan) CheckReport {
	w.t.Helper()
	r, err := w.Check(w.t.Context(), Config{}, p, nil)
	if err != nil || r.Unrecorded != nil {
		w.t.Fatalf("%v, %v", err, r.Unrecorded)
	}
	return r
}

func (w *memory) packs() (packs []vault.Object) {
	w.t.Helper()
	for _, o := range w.inv().Objects {
		if o.Kind == vault.KindPack {
			packs = append(packs, o)
		}
	}
	if len(packs) < 2 {
		w.t.Fatalf("only %d packs", len(packs))
	}
	return packs
}

// pinned makes the manifest pin the newest snapshot in its present form.
func (w *memory) pinned() {
	w.t.Helper()
	d, err := w.vault.Read(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	link := d.Links()[0]
	pin := &manifest.Pin{Snapshot: link.Cap, Sequence: link.Sequence}
	w.access.owner.Pin, w.access.reader.Pin = pin, pin
	w.vault = vault.New(w.client, w.access.keys, vault.Options{Needed: 3, Happy: 5, Total: 6, Directory: w.access.owner.Vault, Pinned: link})
}

// A repair that mends one pack must not make another one look whole.
func TestRepairDoesNotHideWhatItCannotMend(t *testing.T) {
	w := newMemory(t)
	w.write("a", tahoetest.Bytes(1, 20<<20))
	w.backup()
	packs := w.packs()
	w.gateway.Corrupt(packs[0].Cap) // every share is there, and holds rubbish
	w.gateway.CorruptShares(packs[1].Cap, 2)
	if r := w.check(CheckPlan{Download: true}); !errors.Is(r.Err(), ErrLost) || r.States[upkeep.Damaged] != 1 {
		t.Fatalf("before: %+v, %v", r.States, r.Err())
	}
	r := w.check(CheckPlan{Download: true, Repair: true})
	if !errors.Is(r.Err(), ErrLost) || r.States[upkeep.Lost] != 1 || r.States[upkeep.Damaged] != 0 || len(r.Replaced) != 1 || r.Worst.State != upkeep.Lost {
		t.Errorf("after: %+v, replaced %v, %v", r.States, r.Replaced, r.Err())
	}
	if p, err := w.Proofs(t.Context()); err != nil || p.Verified.Lost != 1 {
		t.Errorf("recorded: %+v, %v", p.Verified, err)
	}
}

// What was proven of a snapshot is not proven of its new form.
func TestProofsEndWithTheFormTheyAreAbout(t *testing.T) {
	w := newMemory(t)
	w.write("old", tahoetest.Bytes(1, 12<<20))
	w.write("small", []byte("stays"))
	w.backup()
	w.remove("old")
	w.backup()
	w.check(CheckPlan{Download: true})
	green := func() bool {
		t.Helper()
		p, err := w.Proofs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := &Readiness{at: time.Now(), Newest: p.Newest, Proofs: p}
		return r.Green(ItemReadBack)
	}
	if !green() {
		t.Fatal("a snapshot that was read in full is not green")
	}
	if r := w.forget(ForgetPlan{Keep: retain.Rules{Last: 1}}); len(r.Reissued) != 1 {
		t.Fatalf("nothing was issued anew: %+v", r)
	}
	if green() {
		t.Error("the new form was never read, and is green")
	}
	w.check(CheckPlan{Download: true})
	if !green() {
		t.Error("reading it again does not help")
	}
}

// The pin out there names the old form: that is said, and not stored again and
// again.
func TestStalePinIsToldAndNotRepairedForEver(t *testing.T) {
	w := newMemory(t)
	w.write("a", tahoetest.Bytes(1, 3<<20))
	w.backup()
	w.pinned()
	w.gateway.CorruptShares(w.packs()[0].Cap, 2)
	if r := w.check(CheckPlan{Download: true, Repair: true}); len(r.Reissued) != 1 {
		t.Fatalf("%+v", r)
	}
	sent := w.vault.Sent()
	r := w.check(CheckPlan{Download: true, Repair: true})
	if !r.Stale || !r.Weak() || len(r.Replaced) != 0 || w.vault.Sent()-sent > 100_000 {
		t.Errorf("stale %v, replaced %v, %d bytes sent", r.Stale, r.Replaced, w.vault.Sent()-sent)
	}
	w.whole()
}

// Somebody hides the newer state: nothing may be written over it.
func TestRepairIsRefusedOnAnOlderState(t *testing.T) {
	w := newMemory(t)
	w.write("a", []byte("one"))
	w.backup()
	w.write("a", []byte("two"))
	w.backup()
	w.pinned()
	w.gateway.Rollback(w.access.owner.Vault, 2)
	if d, err := w.vault.Read(t.Context()); err != nil || d.Newest() != 1 {
		t.Fatalf("newest %d, %v", d.Newest(), err)
	}
	if _, err := w.Check(t.Context(), Config{}, CheckPlan{Repair: true}, nil); !errors.Is(err, ErrRolledBack) {
		t.Errorf("%v", err)
	}
	r, err := w.Check(t.Context(), Config{}, CheckPlan{}, nil)
	if err != nil || !r.RolledBack || !r.Weak() || !errors.Is(r.Unrecorded, ErrRolledBack) {
		t.Errorf("the check: %v, %v", err, r.Unrecorded)
	}
	if err := w.RecordRecall(t.Context(), Config{}); !errors.Is(err, ErrRolledBack) {
		t.Errorf("a recall: %v", err)
	}
}

// The hint for lost filters is to give them anew: that must work.
func TestLostConfigIsReplacedByNewFilters(t *testing.T) {
	w := newMemory(t)
	w.write("a", []byte("one"))
	w.backup()
	for _, o := range w.inv().Objects {
		if o.Kind == vault.KindConfig {
			w.gateway.LoseObject(o.Cap)
		}
	}
	if err := w.RecordRecall(t.Context(), Config{}); err == nil {
		t.Error("a recall was noted in a config without the exclusions")
	}
	if _, err := w.Backup(t.Context(), Config{}, w.plan(), nil); !errors.Is(err, ErrFilters) {
		t.Errorf("%v", err)
	}
	plan := w.plan()
	plan.Filters, plan.Remember = &Filters{Rules: []string{"- *.iso"}}, true
	if _, err := w.Backup(t.Context(), Config{}, plan, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.RecordRecall(t.Context(), Config{}); err != nil {
		t.Error(err)
	}
}

// A clock that was ahead once must not promise leases that nobody has.
func TestLeasesAreNeverLongerThanFromNow(t *testing.T) {
	w := newMemory(t)
	w.write("a", []byte("one"))
	w.backup()
	if err := w.vault.Amend(t.Context(), false, func(c *vault.Config) error {
		c.Proofs.Renewed = time.Now().Add(300 * 24 * time.Hour)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Proofs(t.Context()); err != nil || p.Leases.After(time.Now().Add(LeaseTime)) {
		t.Errorf("leases until %v, %v", p.Leases, err)
	}
}

// Without servers that are away nothing is known of what they keep, and a
// caretaker must go on looking after it.
func TestCareListDoesNotShrinkWhileServersAreAway(t *testing.T) {
	w := newMemory(t)
	for i := range 3 {
		w.write("a", tahoetest.Bytes(uint64(i), 10_000))
		w.backup()
	}
	share := func() error {
		return w.vault.Hold(t.Context(), false, func(ctx context.Context, writer *vault.Writer) error { return writer.StartCare(ctx) })
	}
	if err := share(); err != nil {
		t.Fatal(err)
	}
	listed := func() int {
		t.Helper()
		objects, err := vault.CareObjects(t.Context(), w.client, w.access.owner.Vault, w.access.keys.CareKey())
		if err != nil {
			t.Fatal(err)
		}
		return len(objects)
	}
	before := listed()
	d, err := w.vault.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.gateway.LoseShares(d.Snapshots[1], 2)
	w.gateway.SetServers(5, 6)
	if err := share(); err == nil {
		t.Error("a list was made although a snapshot could not be read for the moment")
	}
	w.gateway.SetServers(6, 6)
	if err := share(); err != nil {
		t.Fatal(err)
	}
	if after := listed(); after < before {
		t.Errorf("of %d objects %d are looked after", before, after)
	}
}

func TestDroppingEndsWhenTheMarkIsLost(t *testing.T) {
	w := newMemory(t)
	for i := range 4 {
		w.write("a", []byte{byte(i)})
		w.backup()
	}
	other := vault.New(w.client, w.access.keys, vault.Options{Needed: 3, Happy: 5, Total: 6, Directory: w.access.owner.Vault, Machine: "other"})
	err := w.vault.Hold(t.Context(), false, func(ctx context.Context, writer *vault.Writer) error {
		if _, _, err := other.Claim(ctx, true); err != nil {
			return err
		}
		_, err := writer.Reissue(ctx, vault.Change{Drop: []uint64{1, 2}})
		return err
	})
	if !errors.Is(err, vault.ErrBusy) {
		t.Errorf("%v", err)
	}
	if d, err := w.vault.Read(t.Context()); err != nil || len(d.Snapshots) != 4 {
		t.Errorf("%d snapshots are left, %v", len(d.Snapshots), err)
	}
}

func TestPackWrittenAnewIsAnotherFile(t *testing.T) {
	w := newMemory(t)
	w.write("a", bytes.Repeat([]byte("x"), 100))
	w.backup()
	for _, o := range w.packs() {
		fresh, err := w.vault.ReplacePack(t.Context(), o.Pack, nil)
		if err != nil || fresh.Cap == o.Cap {
			t.Errorf("%v", err)
		}
		if _, err := w.vault.ReadPack(t.Context(), snapshot.Pack{ID: fresh.ID, Cap: fresh.Cap, Size: fresh.Size}, nil); err != nil {
			t.Error(err)
		}
	}
}
