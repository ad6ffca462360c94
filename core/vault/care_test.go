package vault

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// commit links snapshot n of one pack.
func commit(t *testing.T, v *Vault, n uint64, content string) snapshot.Pack {
	t.Helper()
	p, refs := pack(t, v, []byte(content))
	w, _, err := v.Claim(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	s := &snapshot.Snapshot{Info: snapshot.Info{Sequence: n, Time: time.Unix(int64(n), 0)}, Listing: refs, Packs: map[snapshot.PackID]snapshot.Pack{p.ID: p}}
	if _, err := w.Commit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return p
}

func careCaps(t *testing.T, v *Vault) (caps []tahoeclient.Cap) {
	t.Helper()
	dir, err := v.dir.ReadOnly()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := CareObjects(t.Context(), v.client, dir, v.Keys.CareKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		caps = append(caps, o.Cap)
	}
	return caps
}

// A caretaker who is not told of later packs lets them expire.
func TestCaretakerLearnsOfEveryLaterPack(t *testing.T) {
	v, g := newVault(t)
	first := commit(t, v, 1, "one")
	if d, err := v.Read(t.Context()); err != nil || d.HasCaretakers() {
		t.Fatalf("a care list without caretakers: %v", err)
	}
	if err := v.Hold(t.Context(), false, func(ctx context.Context, w *Writer) error { return w.StartCare(ctx) }); err != nil {
		t.Fatal(err)
	}
	second := commit(t, v, 2, "two")
	caps := careCaps(t, v)
	d, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]tahoeclient.Cap{"first pack": first.Cap, "second pack": second.Cap, "config": d.config, "care list": d.care, "snapshot 1": d.Snapshots[1], "snapshot 2": d.Snapshots[2]} {
		if !slices.Contains(caps, c) {
			t.Errorf("the caretaker does not know the %s", name)
		}
	}
	if len(caps) != 7 {
		t.Errorf("she looks after %d objects, want 7", len(caps))
	}

	g.LoseObject(d.care)
	if objects, err := CareObjects(t.Context(), v.client, v.dir, v.Keys.CareKey()); err == nil || len(objects) != 5 {
		t.Errorf("with a lost list: %d objects, %v", len(objects), err)
	}
	third := commit(t, v, 3, "three")
	caps = careCaps(t, v)
	for _, p := range []snapshot.Pack{first, second, third} {
		if !slices.Contains(caps, p.Cap) {
			t.Errorf("after the list was lost, pack %v is forgotten", p.ID)
		}
	}
}

func TestCareKeyOpensTheListAndNothingElse(t *testing.T) {
	v, _ := newVault(t)
	commit(t, v, 1, "one")
	d, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]tahoeclient.Cap{"config": d.config, "snapshot": d.Snapshots[1]} {
		sealed, err := v.read(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Keys.CareKey().Open(sealed); !errors.Is(err, snapshot.ErrSeal) {
			t.Errorf("the care key opens the %s: %v", name, err)
		}
	}
}

func TestReplacedPackReadsTheSameFromOtherShares(t *testing.T) {
	v, g := newVault(t)
	content := tahoetest.Bytes(8, 100_000)
	p := commit(t, v, 1, string(content))
	g.CorruptShares(p.Cap, 2)
	fresh, err := v.ReplacePack(t.Context(), p, nil)
	if err != nil || fresh.ID != p.ID || fresh.Size != p.Size || fresh.Cap == p.Cap {
		t.Fatalf("%+v, %v", fresh, err)
	}
	var numbers []uint64
	if err := v.Hold(t.Context(), false, func(ctx context.Context, w *Writer) (err error) {
		numbers, err = w.Reissue(ctx, Change{Renew: func(s *snapshot.Snapshot) (*snapshot.Snapshot, error) {
			s.Packs[p.ID] = fresh
			return s, nil
		}})
		return err
	}); err != nil || len(numbers) != 1 {
		t.Fatalf("%v, %v", numbers, err)
	}
	g.LoseObject(p.Cap)
	d, err := v.Read(t.Context())
	if err != nil || d.writer != none {
		t.Fatalf("the mark stays: %v", err)
	}
	s, err := v.Load(t.Context(), d.Snapshots[1], 1)
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := Ranges(s, s.Listing)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Fetch(t.Context(), ranges[0], nil, func(_ snapshot.ChunkRef, plain []byte) error {
		if string(plain) != string(content) {
			t.Error("other bytes came back")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestDroppedSnapshotsAreUnlinkedAndTheRestStays(t *testing.T) {
	v, _ := newVault(t)
	for n := range uint64(4) {
		commit(t, v, n+1, string(rune('a'+n)))
	}
	if err := v.Hold(t.Context(), false, func(ctx context.Context, w *Writer) error {
		if err := w.StartCare(ctx); err != nil {
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := v.Hold(t.Context(), false, func(ctx context.Context, w *Writer) error {
		_, err := w.Reissue(ctx, Change{Drop: []uint64{1, 3, 99}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	d, err := v.Read(t.Context())
	if err != nil || !slices.Equal(d.Numbers(), []uint64{4, 2}) || d.writer != none {
		t.Errorf("%v, %v", d.Numbers(), err)
	}
	if caps := careCaps(t, v); len(caps) != 7 {
		t.Errorf("the caretaker looks after %d objects, want 7", len(caps))
	}
}

func TestFailedWorkGivesTheMarkUp(t *testing.T) {
	v, _ := newVault(t)
	broken := errors.New("no")
	if err := v.Amend(t.Context(), false, func(*Config) error { return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if d, err := v.Read(t.Context()); err != nil || d.writer != none {
		t.Errorf("the mark stays: %v", err)
	}
}
