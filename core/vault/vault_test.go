package vault

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func newVault(t *testing.T) (*Vault, *tahoetest.Gateway) {
	t.Helper()
	g := tahoetest.NewGateway(t)
	g.SetServers(6, 6)
	g.SetEncoding(3, 5, 6)
	keys, err := snapshot.NewKeys([32]byte{5})
	if err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 2, RetryWait: time.Millisecond})
	t.Cleanup(client.Close)
	dir, err := Create(t.Context(), client, keys, Options{Needed: 3, Happy: 5, Total: 6}, Config{Filters: Filters{Rules: []string{"- *.iso"}}})
	if err != nil {
		t.Fatal(err)
	}
	return New(client, keys, Options{Directory: dir, Needed: 3, Happy: 5, Total: 6}), g
}

func pack(t *testing.T, v *Vault, content ...[]byte) (snapshot.Pack, []snapshot.ChunkRef) {
	t.Helper()
	b := v.Keys.NewPack(nil)
	var refs []snapshot.ChunkRef
	for _, plain := range content {
		refs = append(refs, b.Add(snapshot.IDOf(plain), v.Keys.SealChunk(nil, plain, true), len(plain)))
	}
	data, err := b.Finish(false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.PutPack(t.Context(), b.ID(), data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, refs
}

func TestVaultNeverStartsEmptyAndKeepsItsConfig(t *testing.T) {
	v, _ := newVault(t)
	d, err := v.Read(t.Context())
	if err != nil || d.Newest() != 0 {
		t.Fatalf("newest %d, %v", d.Newest(), err)
	}
	c, err := v.ReadConfig(t.Context(), d)
	if err != nil || len(c.Rules) != 1 || c.Rules[0] != "- *.iso" {
		t.Errorf("%+v, %v", c, err)
	}
	now := time.Unix(1_800_000_000, 0).UTC()
	if err := v.Amend(t.Context(), false, func(c *Config) error {
		c.Filters = Filters{MaxSize: 5, FolderRules: map[string][]string{"papers": {"+ x"}}}
		c.Proofs.Recalled = now
		return c.Proofs.SetReceipt(Receipt{Role: RoleHolder, Name: "Ana", Generation: 3, Confirmed: now})
	}); err != nil {
		t.Fatal(err)
	}
	if d, err = v.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.writer != none {
		t.Error("the mark stays after an amendment")
	}
	if c, err = v.ReadConfig(t.Context(), d); err != nil || c.MaxSize != 5 || c.Rules != nil || c.FolderRules["papers"][0] != "+ x" {
		t.Errorf("%+v, %v", c, err)
	}
	if p := c.Proofs; !p.Recalled.Equal(now) || !p.Renewed.IsZero() || len(p.Receipts) != 1 || !p.Receipts[0].Confirmed.Equal(now) {
		t.Errorf("proofs came back as %+v", p)
	}
}

func TestPackTellsItsContentsAndGivesItBack(t *testing.T) {
	v, _ := newVault(t)
	content := [][]byte{[]byte("one"), bytes.Repeat([]byte("two"), 100_000), []byte("three")}
	p, refs := pack(t, v, content...)
	got, err := v.Contents(t.Context(), p)
	if err != nil || len(got) != 3 || got[2] != refs[2] {
		t.Fatalf("%v, %v", got, err)
	}
	s := &snapshot.Snapshot{Packs: map[snapshot.PackID]snapshot.Pack{p.ID: p}}
	ranges, err := Ranges(s, []snapshot.ChunkRef{refs[2], {Length: 5}, refs[0], refs[2]})
	if err != nil || len(ranges) != 1 || len(ranges[0].Chunks) != 2 {
		t.Fatalf("%+v, %v", ranges, err)
	}
	var order []string
	if err := v.Fetch(t.Context(), ranges[0], nil, func(_ snapshot.ChunkRef, plain []byte) error {
		order = append(order, string(plain))
		return nil
	}); err != nil || len(order) != 2 || order[0] != "one" || order[1] != "three" {
		t.Errorf("%q, %v", order, err)
	}
	wrong := p
	wrong.ID[0] ^= 1
	if _, err := v.Contents(t.Context(), wrong); !errors.Is(err, snapshot.ErrFormat) {
		t.Errorf("a pack in the place of another: %v", err)
	}
}

func TestFarChunksAreFetchedSeparately(t *testing.T) {
	v, _ := newVault(t)
	p, _ := pack(t, v, []byte("x"))
	p.Size = snapshot.PackSize
	s := &snapshot.Snapshot{Packs: map[snapshot.PackID]snapshot.Pack{p.ID: p}}
	ref := func(off uint32) snapshot.ChunkRef {
		return snapshot.ChunkRef{ID: snapshot.ChunkID{1}, Pack: p.ID, Offset: off, Sealed: 100, Length: 50}
	}
	ranges, err := Ranges(s, []snapshot.ChunkRef{ref(0), ref(maxGap), ref(3 * maxGap), ref(snapshot.PackSize - 100)})
	if err != nil || len(ranges) != 3 {
		t.Errorf("%d ranges, %v", len(ranges), err)
	}
	if _, err := Ranges(s, []snapshot.ChunkRef{ref(snapshot.PackSize)}); !errors.Is(err, snapshot.ErrFormat) {
		t.Errorf("a chunk beyond its pack: %v", err)
	}
}

func TestBrokenDownloadGoesOnFromThere(t *testing.T) {
	v, g := newVault(t)
	content := tahoetest.Bytes(3, 3<<20)
	p, refs := pack(t, v, content)
	s := &snapshot.Snapshot{Packs: map[snapshot.PackID]snapshot.Pack{p.ID: p}}
	ranges, err := Ranges(s, refs)
	if err != nil {
		t.Fatal(err)
	}
	g.CloseBody(1<<20+5, 1)
	if err := v.Fetch(t.Context(), ranges[0], nil, func(_ snapshot.ChunkRef, plain []byte) error {
		if !bytes.Equal(plain, content) {
			t.Error("other bytes came back")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestCheckpointComesBackAndEndsWithTheCommit(t *testing.T) {
	v, _ := newVault(t)
	w, _, err := v.Claim(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := pack(t, v, []byte("content"))
	if err := w.Checkpoint(t.Context(), Checkpoint{Packs: map[snapshot.PackID]snapshot.Pack{p.ID: p}}); err != nil {
		t.Fatal(err)
	}
	d, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.ReadCheckpoint(t.Context(), d)
	if err != nil || c.Packs[p.ID] != p {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := w.Commit(t.Context(), &snapshot.Snapshot{Info: snapshot.Info{Sequence: 1, Time: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if d, err = v.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err := v.ReadCheckpoint(t.Context(), d); err != nil || len(c.Packs) != 0 || d.Newest() != 1 {
		t.Errorf("after the commit: %d packs, newest %d, %v", len(c.Packs), d.Newest(), err)
	}
}

func TestMarkHoldsOthersOffUntilItIsGivenUpOrRunsOut(t *testing.T) {
	v, _ := newVault(t)
	other := New(v.client, v.Keys, Options{Directory: v.dir, Needed: 3, Happy: 5, Total: 6, Machine: "other"})
	w, _, err := v.Claim(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Claim(t.Context(), false); !errors.Is(err, ErrBusy) {
		t.Errorf("a second machine: %v", err)
	}
	if _, _, err := v.Claim(t.Context(), false); err != nil {
		t.Errorf("the same machine after a crash: %v", err)
	}
	if err := w.Leave(t.Context(), Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Claim(t.Context(), false); err != nil {
		t.Errorf("after the release: %v", err)
	}
	who, until, ok := v.readMark(t.Context(), v.newMark(v.writerID()))
	if left := time.Until(until); !ok || who != v.writerID() || left < markLifetime-time.Minute || left > markLifetime {
		t.Errorf("the mark reads as %x until %v, %v", who, until, ok)
	}
}

func TestSnapshotInTheWrongPlaceIsRefused(t *testing.T) {
	v, _ := newVault(t)
	w, _, err := v.Claim(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	s := &snapshot.Snapshot{Info: snapshot.Info{Sequence: 1, Time: time.Now()}}
	c, err := w.Commit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Load(t.Context(), c, 2); !errors.Is(err, snapshot.ErrFormat) {
		t.Errorf("an old snapshot under a new number: %v", err)
	}
}

func TestSequenceNamesAreReadStrictly(t *testing.T) {
	for name, want := range map[string]uint64{"snapshot-1": 1, "snapshot-18446744073709551615": 1<<64 - 1, "snapshot-0": 0, "snapshot-01": 0, "snapshot-+1": 0, "snapshot-": 0, "snapshot-x": 0, "other-1": 0} {
		if n, ok := sequenceOf(name); ok != (want != 0) || ok && n != want {
			t.Errorf("%s is %d, %v", name, n, ok)
		}
	}
}

// A run that was away so long that another took over must not write over what
// that one has done.
func TestLateWriterChangesNothing(t *testing.T) {
	v, _ := newVault(t)
	late, _, err := v.Claim(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	other := New(v.client, v.Keys, Options{Directory: v.dir, Needed: 3, Happy: 5, Total: 6, Machine: "other"})
	w, _, err := other.Claim(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := pack(t, v, []byte("x"))
	if err := late.Checkpoint(t.Context(), Checkpoint{Packs: map[snapshot.PackID]snapshot.Pack{p.ID: p}}); !errors.Is(err, ErrBusy) {
		t.Errorf("a late checkpoint: %v", err)
	}
	s := &snapshot.Snapshot{Info: snapshot.Info{Sequence: 1, Time: time.Now()}}
	want, err := w.Commit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Commit(t.Context(), s); !errors.Is(err, ErrBusy) {
		t.Errorf("a late commit: %v", err)
	}
	again, _, err := v.Claim(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Commit(t.Context(), s); !errors.Is(err, tahoeclient.ErrConflict) {
		t.Errorf("a commit in the place of another: %v", err)
	}
	if d, err := v.Read(t.Context()); err != nil || d.Snapshots[1] != want {
		t.Errorf("the snapshot changed: %v", err)
	}
}
