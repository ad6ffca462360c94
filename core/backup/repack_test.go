package backup

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func TestSpotsAreCountedOnce(t *testing.T) {
	var s spotSet
	want := int64(0)
	for range 3 {
		want = 0
		for i := range uint32(5000) {
			s.add(snapshot.ChunkRef{Offset: i * 100, Sealed: 50 + i%7})
			want += int64(50 + i%7)
		}
	}
	if len(s.all) >= 5000*3 || s.bytes() != want || len(s.all) != 5000 {
		t.Errorf("%d spots of %d bytes, want 5000 of %d", len(s.all), s.bytes(), want)
	}
}

// Half a pack is enough to leave it, less is not.
func TestPackIsThinnedBelowHalf(t *testing.T) {
	const size = 1_000_000
	for live, want := range map[uint32]bool{size/2 - 1000: true, size / 2: false, size: false} {
		u := &usage{pack: snapshot.Pack{Size: size}}
		u.live.add(snapshot.ChunkRef{Sealed: live})
		if got := u.mostlyDead(); got != want {
			t.Errorf("with %d of %d bytes live: %v", live, size, got)
		}
		if u.fixed = true; u.mostlyDead() {
			t.Error("a pack that is to be left is thinned")
		}
	}
}

func TestChunkInTheWrongPlaceIsNoticed(t *testing.T) {
	pack, other := snapshot.NewPackID(), snapshot.NewPackID()
	ref := snapshot.ChunkRef{ID: snapshot.ChunkID{1, 2}, Pack: pack, Offset: 70}
	f := footers{pack: {{offset: 0, name: 5}, footingOf(ref)}}
	wrong := []snapshot.ChunkRef{
		{ID: ref.ID, Pack: pack, Offset: 0},
		{ID: ref.ID, Pack: pack, Offset: 71},
		{ID: snapshot.ChunkID{9}, Pack: pack, Offset: 70},
	}
	if !f.holds(ref) || !f.holds(snapshot.ChunkRef{Pack: other}) || slices.ContainsFunc(wrong, f.holds) {
		t.Error("a place is not judged right")
	}
}

// repackVault is a vault with many tiny files beside a large one that is gone
// after the first snapshot.
func repackVault(t testing.TB, files, snapshots int) (*vault.Vault, *tahoetest.Gateway) {
	t.Helper()
	v, g := emptyVault(t)
	root := t.TempDir()
	film := treetest.Write(t, root, "film", treetest.Random(1, 4<<20))
	for i := range files {
		treetest.Write(t, root, fmt.Sprintf("%05d", i), fmt.Append(nil, i))
	}
	o := Options{Folders: []Folder{{Folder: snapshot.Folder{Name: "papers", Path: root}, Root: root}}}
	for n := range snapshots {
		treetest.Write(t, root, "note", fmt.Append(nil, "note", n))
		if _, err := Run(t.Context(), v, o, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(film); err != nil {
			t.Fatal(err)
		}
	}
	return v, g
}

func emptyVault(t testing.TB) (*vault.Vault, *tahoetest.Gateway) {
	t.Helper()
	g := tahoetest.NewGateway(t)
	g.SetServers(6, 6)
	g.SetEncoding(3, 5, 6)
	keys, err := snapshot.NewKeys([32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 2, RetryWait: time.Millisecond})
	t.Cleanup(client.Close)
	o := vault.Options{Needed: 3, Happy: 5, Total: 6}
	if o.Directory, err = vault.Create(t.Context(), client, keys, o, vault.Config{}); err != nil {
		t.Fatal(err)
	}
	return vault.New(client, keys, o), g
}

// repackAll drops the first snapshot and repacks what the others need.
func repackAll(t testing.TB, v *vault.Vault) (report RepackReport, sent int64) {
	t.Helper()
	before := v.Sent()
	if err := v.Hold(t.Context(), false, func(ctx context.Context, w *vault.Writer) error {
		d, err := v.Read(ctx)
		if err != nil {
			return err
		}
		keep := slices.DeleteFunc(d.Links(), func(l vault.Link) bool { return l.Sequence == 1 })
		p, err := Repack(ctx, v, keep, nil, nil)
		if err != nil {
			return err
		}
		report, sent = p.Report, v.Sent()-before
		_, err = w.Reissue(ctx, vault.Change{Drop: []uint64{1}, Renew: p.Renew, Strict: true})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return report, sent
}

// The listings of four snapshots differ in one entry: to write all anew costs
// little more than one.
func TestSameListingContentIsStoredOnce(t *testing.T) {
	few, _ := repackVault(t, 4000, 2)
	_, one := repackAll(t, few)
	many, _ := repackVault(t, 4000, 5)
	report, four := repackAll(t, many)
	t.Logf("%d bytes for one snapshot, %d for four; %+v", one, four, report)
	if report.Thinned == 0 || four > one+one/2 {
		t.Errorf("four listings cost %d bytes, one costs %d: %+v", four, one, report)
	}
}

// A pack of tiny files is half footer, and still none of it is dead.
func TestPackOfTinyFilesIsNotThinnedForEver(t *testing.T) {
	v, _ := repackVault(t, 500, 3)
	if report, _ := repackAll(t, v); report.Thinned == 0 {
		t.Errorf("%+v", report)
	}
	if report, sent := repackAll(t, v); report.Thinned+report.Packs > 0 || sent > 0 {
		t.Errorf("the second time: %+v, %d bytes", report, sent)
	}
}

// A listing of which a part is lost says too little: nothing that it names is
// moved.
func TestListingThatCannotBeReadKeepsItsPacks(t *testing.T) {
	v, g := repackVault(t, 300, 3)
	d, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := v.Load(t.Context(), d.Snapshots[3], 3)
	if err != nil {
		t.Fatal(err)
	}
	g.LoseObject(s.Packs[s.Listing[len(s.Listing)-1].Pack].Cap)
	report, _ := repackAll(t, v)
	if report.Thinned != 0 || report.Packs != 0 || len(report.Left) != 1 {
		t.Errorf("%+v", report)
	}
	after, err := v.Read(t.Context())
	if err != nil || after.Snapshots[3] != d.Snapshots[3] || after.Snapshots[2] != d.Snapshots[2] || len(after.Snapshots) != 2 {
		t.Errorf("%d snapshots, %v", len(after.Snapshots), err)
	}
}
