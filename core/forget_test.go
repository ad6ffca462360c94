package core

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/retain"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func TestForgottenSpaceComesBackAndEverythingElseStays(t *testing.T) {
	w := newMemory(t)
	if err := os.Mkdir(w.source, 0o755); err != nil {
		t.Fatal(err)
	}
	treetest.Nasty(t, w.source)
	w.fiveYears(40, 900<<10, 20<<20)
	if err := w.vault.Hold(t.Context(), false, func(ctx context.Context, writer *vault.Writer) error {
		return writer.StartCare(ctx)
	}); err != nil {
		t.Fatal(err)
	}
	before := packsOf(w.inv())
	estimate, err := w.EstimateForget(t.Context(), ForgetPlan{Keep: retain.Rules{Last: 2}})
	if err != nil || !slices.Equal(estimate.Forgotten(), []uint64{3, 2, 1}) || estimate.Packs == 0 {
		t.Fatalf("%+v, %v", estimate, err)
	}
	if got := w.inv().Infos; len(got) != 5 {
		t.Fatalf("an estimate left %d snapshots", len(got))
	}

	r := w.forget(ForgetPlan{Keep: retain.Rules{Last: 2}})
	t.Logf("%d packs thinned into %d, %d of %d unused (%d bytes), %d sent; reissued %v", r.Repack.Thinned, r.Repack.Packs, r.Packs, len(before), r.Bytes, r.Sent, r.Reissued)
	if !slices.Equal(r.Forgotten(), []uint64{3, 2, 1}) || r.Repack.Thinned == 0 || len(r.Repack.Left) != 0 || r.Repack.Weak != 0 ||
		r.Packs < estimate.Packs+r.Repack.Thinned || r.Bytes < 30<<20 || r.Sent > 20<<20 || !slices.Equal(slices.Sorted(slices.Values(r.Reissued)), []uint64{4, 5}) {
		t.Errorf("%+v", r)
	}
	if got := w.whole(); !slices.Equal(got, []uint64{5, 4}) {
		t.Errorf("left are %v", got)
	}
	after := packsOf(w.inv())
	unused := 0
	for c := range before {
		if !after[c] {
			unused++
		}
	}
	if unused != r.Packs {
		t.Errorf("%d packs are unused, the report says %d", unused, r.Packs)
	}
	for c, n := range w.live() {
		if size, _ := c.Size(); 2*n < size {
			t.Errorf("of a pack of %d bytes only %d are live", size, n)
		}
	}

	// The caretakers look after exactly that.
	dir, err := w.access.owner.Vault.ReadOnly()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := vault.CareObjects(t.Context(), w.client, dir, w.access.keys.CareKey())
	if err != nil {
		t.Fatal(err)
	}
	if got := packsOf(&vault.Inventory{Objects: objects}); !maps.Equal(got, after) {
		t.Errorf("the caretakers look after %d packs, the vault needs %d", len(got), len(after))
	}

	w.expire()
	w.whole()

	// What was moved is known to the next backup.
	report, err := w.Backup(t.Context(), Config{}, w.plan(), nil)
	if err != nil || report.Sent > 200<<10 || report.Info.Sequence != 6 {
		t.Errorf("a backup of nothing new sent %d bytes as snapshot %d: %v", report.Sent, report.Info.Sequence, err)
	}
	w.want[6] = w.want[5]
	w.write("copy", treetest.Random(108, 900<<10)) // of diary/08
	if report, err = w.Backup(t.Context(), Config{}, w.plan(), nil); err != nil || report.Sent > 200<<10 {
		t.Errorf("a backup of a copy sent %d bytes: %v", report.Sent, err)
	}

	// And with nothing below half no listing is written again.
	again := w.forget(ForgetPlan{Keep: retain.Rules{Last: 9}})
	if len(again.Forgotten())+again.Repack.Thinned+again.Repack.Packs+len(again.Reissued) > 0 || again.Sent > 64<<10 {
		t.Errorf("nothing to do, and it did %+v", again)
	}
}

func TestForgettingWithoutRepackingOnlyUnlinks(t *testing.T) {
	w := years(t)
	r := w.forget(ForgetPlan{Numbers: []uint64{2, 3}, NoRepack: true})
	if !slices.Equal(r.Forgotten(), []uint64{3, 2}) || r.Packs == 0 || r.Sent > 64<<10 || len(r.Reissued) != 0 {
		t.Errorf("%+v", r)
	}
	w.expire()
	if got := w.whole(); !slices.Equal(got, []uint64{5, 4, 1}) {
		t.Errorf("left are %v", got)
	}
	// Later it is repacked all the same.
	if r := w.forget(ForgetPlan{Keep: retain.Rules{Last: 2}}); r.Repack.Thinned == 0 {
		t.Errorf("%+v", r)
	}
	w.expire()
	w.whole()
}

// A manifest out there names the pinned snapshot as it was when it was sealed.
func TestPinnedSnapshotStaysWhereItIs(t *testing.T) {
	w := years(t)
	d, err := w.vault.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.access.owner.Pin = &manifest.Pin{Snapshot: d.Snapshots[3], Sequence: 3}
	w.access.reader.Pin = w.access.owner.Pin
	if _, err := w.EstimateForget(t.Context(), ForgetPlan{Numbers: []uint64{3}}); !errors.Is(err, ErrStays) {
		t.Errorf("to forget the pinned one: %v", err)
	}
	r := w.forget(ForgetPlan{Keep: retain.Rules{Last: 1}})
	if !slices.Equal(r.Forgotten(), []uint64{4, 2, 1}) || slices.Contains(r.Reissued, 3) {
		t.Errorf("%+v", r)
	}
	w.expire()
	w.whole()
	s, err := w.vault.Load(t.Context(), w.access.owner.Pin.Snapshot, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Packs {
		if _, err := w.vault.ReadPack(t.Context(), p, nil); err != nil {
			t.Errorf("the pinned snapshot lost %v", err)
		}
	}
	if d, err = w.vault.Read(t.Context()); err != nil || d.Snapshots[3] != w.access.owner.Pin.Snapshot {
		t.Errorf("the pinned snapshot was issued anew: %v", err)
	}
}

func TestForgettingThatIsCutOffLosesNothing(t *testing.T) {
	w := years(t)
	keep := ForgetPlan{Keep: retain.Rules{Last: 2}}
	requests := func() (n int) {
		for _, k := range w.gateway.Count().Requests {
			n += k
		}
		return n
	}
	for after := 5; after < 200; after += 3 {
		ctx, cancel := context.WithCancel(t.Context())
		start, watched := requests(), make(chan struct{})
		go func() {
			defer close(watched)
			for ctx.Err() == nil && requests()-start < after {
				time.Sleep(20 * time.Microsecond)
			}
			if after%2 == 0 {
				w.gateway.Stop()
			}
			cancel()
		}()
		_, err := w.Forget(ctx, Config{}, keep, nil)
		cancel()
		<-watched
		w.gateway.Start()
		left := w.whole()
		t.Logf("cut off after %d requests: %v left, %v", after, left, err)
		if err == nil {
			w.expire()
			w.whole()
			return
		}
	}
	t.Error("it never got to its end")
}

func TestRefusedUploadsAndUpdatesChangeNothing(t *testing.T) {
	w := years(t)
	d, err := w.vault.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string) {
		t.Helper()
		w.gateway.Behave()
		now, err := w.vault.Read(t.Context())
		if err != nil || !maps.Equal(now.Snapshots, d.Snapshots) {
			t.Fatalf("%s: the snapshots changed, %v", what, err)
		}
		w.whole()
	}
	keep := ForgetPlan{Keep: retain.Rules{Last: 2}}
	w.gateway.Fail(1000, 500, "Traceback\nallmydata.interfaces.UploadUnhappinessError: shares could be placed on only 4 server(s)\n", tahoetest.OpPut)
	if _, err := w.Forget(t.Context(), Config{}, keep, nil); !errors.Is(err, tahoeclient.ErrUnhappy) {
		t.Errorf("refused uploads: %v", err)
	}
	same("refused uploads")

	refuse := func(ops ...tahoetest.Op) error {
		return w.vault.Hold(t.Context(), false, func(ctx context.Context, writer *vault.Writer) error {
			f, err := w.judge(ctx, keep)
			if err != nil {
				return err
			}
			w.gateway.Fail(4, 500, "Traceback\nallmydata.mutable.common.UncoordinatedWriteError\n", ops...)
			return w.Grid.forget(ctx, writer, f, keep, new(ForgetReport), nil)
		})
	}
	if err := refuse(tahoetest.OpSetChildren); err == nil {
		t.Error("the update was refused, and it says nothing")
	}
	same("refused update")
	if err := refuse(tahoetest.OpUnlink); err == nil {
		t.Error("the unlinking was refused, and it says nothing")
	}
	w.gateway.Behave()
	if got := w.whole(); len(got) != 5 {
		t.Errorf("left are %v", got)
	}
	w.forget(keep)
	w.expire()
	if got := w.whole(); !slices.Equal(got, []uint64{5, 4}) {
		t.Errorf("left are %v", got)
	}
}

// A pack that is damaged costs nothing more than it has cost already.
func TestDamagedPackIsLeftAlone(t *testing.T) {
	w := newMemory(t)
	w.fiveYears(24, 900<<10, 1<<20) // more packs than the damaged one
	var worst tahoeclient.Cap
	least := int64(1 << 40)
	d, err := w.vault.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.vault.Load(t.Context(), d.Snapshots[5], 5)
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.vault.Load(t.Context(), d.Snapshots[1], 1)
	if err != nil {
		t.Fatal(err)
	}
	listing := make(map[snapshot.PackID]bool)
	for _, r := range append(first.Listing, s.Listing...) {
		listing[r.Pack] = true
	}
	for id, p := range s.Packs {
		if _, old := first.Packs[id]; old && !listing[id] && w.live()[p.Cap] < least {
			worst, least = p.Cap, w.live()[p.Cap]
		}
	}
	w.gateway.Corrupt(worst)
	r := w.forget(ForgetPlan{Keep: retain.Rules{Last: 1}})
	if len(r.Repack.Left) != 1 || r.Repack.Thinned == 0 {
		t.Errorf("%+v", r.Repack)
	}
	if !packsOf(w.inv())[worst] {
		t.Error("the damaged pack is looked after no more")
	}
}

func TestNothingIsForgottenWhileSomethingCannotBeRead(t *testing.T) {
	w := newMemory(t)
	w.write("a", []byte("1"))
	one := w.backup()
	w.write("a", []byte("22"))
	w.backup()
	w.write("a", []byte("333"))
	w.backup()
	d, err := w.vault.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.gateway.LoseObject(d.Snapshots[2])
	plan := ForgetPlan{Keep: retain.Rules{Last: 1}}
	r, err := w.EstimateForget(t.Context(), plan)
	if err != nil || !errors.Is(r.Unread, ErrUnread) || !slices.Equal(r.Forgotten(), []uint64{one}) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := w.Forget(t.Context(), Config{}, plan, nil); !errors.Is(err, ErrUnread) {
		t.Errorf("got %v", err)
	}
	if d, err := w.vault.Read(t.Context()); err != nil || len(d.Snapshots) != 3 {
		t.Fatalf("%d snapshots are left, %v", len(d.Snapshots), err)
	}
	w.forget(ForgetPlan{Numbers: []uint64{2}})
	w.forget(plan)
	if got := w.whole(); !slices.Equal(got, []uint64{3}) {
		t.Errorf("left are %v", got)
	}
}

func TestForgettingRefusesWhatCannotBeMeant(t *testing.T) {
	w := newMemory(t)
	if _, err := w.EstimateForget(t.Context(), ForgetPlan{Keep: retain.Rules{Last: 1}}); err != nil {
		t.Errorf("an empty vault: %v", err)
	}
	w.write("a", []byte("1"))
	w.backup()
	for _, tt := range []struct {
		plan ForgetPlan
		want error
	}{
		{ForgetPlan{}, retain.ErrRules},
		{ForgetPlan{Keep: retain.Rules{Daily: -1}}, retain.ErrRules},
		{ForgetPlan{Numbers: []uint64{1}}, ErrStays},
		{ForgetPlan{Numbers: []uint64{7}}, vault.ErrNoSnapshot},
	} {
		if _, err := w.EstimateForget(t.Context(), tt.plan); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt.plan, err)
		}
		if _, err := w.Forget(t.Context(), Config{}, tt.plan, nil); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt.plan, err)
		}
	}
	if r := w.forget(ForgetPlan{Keep: retain.Rules{Monthly: 1}}); len(r.Forgotten()) != 0 {
		t.Errorf("%+v", r)
	}
	w.write("a", []byte("22"))
	w.backup()
	w.gateway.Rollback(w.access.owner.Vault, 2) // to before the second link
	w.access.owner.Pin = &manifest.Pin{Snapshot: w.inv().Objects[0].Cap, Sequence: 2}
	w.access.reader.Pin = w.access.owner.Pin
	if _, err := w.Forget(t.Context(), Config{}, ForgetPlan{Keep: retain.Rules{Last: 1}}, new(progress.Tracker)); !errors.Is(err, ErrRolledBack) {
		t.Errorf("an older state: %v", err)
	}
	w.access.owner = nil
	if _, err := w.Forget(t.Context(), Config{}, ForgetPlan{Keep: retain.Rules{Last: 1}}, nil); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a reader: %v", err)
	}
}

func TestExpiryIsSaidAsFarAsItIsKnown(t *testing.T) {
	days := func(all ...int) Expiry {
		g := new(Grid)
		for _, d := range all {
			g.grid.Servers = append(g.grid.Servers, manifest.Server{LeaseDays: d})
		}
		return g.expiry()
	}
	if e := days(); e != (Expiry{}) {
		t.Errorf("no servers: %+v", e)
	}
	if e := days(0, manifest.LeaseForever); e != (Expiry{Servers: 2, Never: 1, Unknown: 1}) {
		t.Errorf("no lease known: %+v", e)
	}
	if e := days(31, 60, 0); e.Servers != 3 || e.Unknown != 1 || e.Never != 0 || e.Days != 60 || time.Until(e.Latest).Round(24*time.Hour) != 60*24*time.Hour {
		t.Errorf("two leases known: %+v", e)
	}
}
