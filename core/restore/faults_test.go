package restore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

func TestLostPackCostsOnlyItsFiles(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(300+i), 4<<20))
	}
	w.backup()
	s := w.load(1)
	for id, p := range s.Packs {
		if p.Size == snapshot.PackSize && id != s.Listing[0].Pack {
			w.gateway.LoseObject(p.Cap)
			break
		}
	}
	got, r := w.restore(1)
	if r.ProblemCount == 0 || r.ProblemCount > 6 || r.Files+r.ProblemCount != 12 {
		t.Fatalf("restored %d with %d problems: %v", r.Files, r.ProblemCount, r.Problems)
	}
	for _, p := range r.Problems {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(got), p.Path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a half file stands at %s: %v", p.Path, err)
		}
	}
	leftovers, _ := filepath.Glob(filepath.Join(got, ".hidden-backup-*"))
	if len(leftovers) != 0 {
		t.Errorf("temporary files were left: %v", leftovers)
	}
}

func TestWrongBytesFromTheGridAreNeverWritten(t *testing.T) {
	w := newWorld(t)
	w.write("film", treetest.Random(5, 6<<20))
	w.backup()
	for _, p := range w.load(1).Packs {
		if p.Size > 5<<20 {
			w.gateway.Corrupt(p.Cap)
		}
	}
	got, r := w.restore(1)
	if r.Files != 0 || len(r.Problems) != 1 || !errors.Is(r.Problems[0], snapshot.ErrSeal) {
		t.Errorf("restored %d, problems %v", r.Files, r.Problems)
	}
	if _, err := os.Lstat(filepath.Join(got, "film")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a wrong file was written")
	}
}

func TestPinnedSnapshotRestoresWithoutTheDirectory(t *testing.T) {
	w := newWorld(t)
	w.write("report", []byte("text"))
	r := w.backup()
	w.gateway.LoseObject(w.dir)
	if _, err := w.vault().Read(t.Context()); !errors.Is(err, vault.ErrNoVault) {
		t.Fatalf("reading a lost directory: %v", err)
	}
	s, err := w.vault().Load(t.Context(), r.Snapshot, r.Info.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := restore.Run(t.Context(), w.vault(), s, restore.Options{Places: restore.ResolvePlaces(s, dir)}, nil); err != nil {
		t.Fatal(err)
	}
	treetest.Same(t, w.source, filepath.Join(dir, "papers"))
}

func TestRolledBackDirectoryIsReported(t *testing.T) {
	w := newWorld(t)
	w.write("report", []byte("text"))
	w.backup()
	w.write("report", []byte("longer text"))
	r := w.backup()
	w.gateway.Rollback(w.dir, 4)
	o := w.backupOptions()
	o.Pin = backup.Pin{Snapshot: r.Snapshot, Sequence: r.Info.Sequence}
	o.BreakMark = true
	got, err := backup.Run(t.Context(), w.vault(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !got.RolledBack || got.Info.Sequence != 3 || got.Info.Parent != 2 {
		t.Errorf("rolled back %v, snapshot %d on %d", got.RolledBack, got.Info.Sequence, got.Info.Parent)
	}
}

func TestTwoComputersDoNotWriteAtOnce(t *testing.T) {
	w := newWorld(t)
	w.write("report", []byte("text"))
	other := tahoeclient.New(w.gateway.Socket(), tahoeclient.Options{})
	defer other.Close()
	v := vault.New(other, w.keys, vault.Options{Directory: w.dir, Needed: 3, Happy: 5, Total: 6, Machine: "another computer"})
	if _, _, err := v.Claim(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), w.vault(), w.backupOptions(), nil); !errors.Is(err, vault.ErrBusy) {
		t.Fatalf("a second writer: %v", err)
	}
	o := w.backupOptions()
	o.BreakMark = true
	if _, err := backup.Run(t.Context(), w.vault(), o, nil); err != nil {
		t.Errorf("taking over: %v", err)
	}
	w.backup() // the mark of a finished run holds nobody up
}

func TestTooFewServersChangeNothing(t *testing.T) {
	w := newWorld(t)
	w.write("report", []byte("text"))
	w.backup()
	before := w.gateway.StoredBytes()
	w.gateway.SetServers(3, 6)
	if _, err := backup.Run(t.Context(), w.vault(), w.backupOptions(), nil); !errors.Is(err, vault.ErrTooFewServers) {
		t.Errorf("three of six servers: %v", err)
	}
	if w.gateway.StoredBytes() != before {
		t.Error("something was stored")
	}
	got, _ := w.restore(1)
	treetest.Same(t, w.source, got)
}

// contentPacks are the packs of a snapshot that hold no listing.
func contentPacks(s *snapshot.Snapshot) (packs []snapshot.Pack) {
	for id, p := range s.Packs {
		if id != s.Listing[0].Pack {
			packs = append(packs, p)
		}
	}
	return packs
}

func TestPackThatVanishedIsStoredAgain(t *testing.T) {
	w := newWorld(t)
	w.write("film", treetest.Random(70, 6<<20))
	w.write("note", []byte("text"))
	w.backup()
	for _, p := range contentPacks(w.load(1)) {
		w.gateway.LoseObject(p.Cap)
	}
	r := w.backup()
	if r.Lost == 0 || r.Sent < 6<<20 {
		t.Errorf("%d packs were found to be lost, %d bytes sent", r.Lost, r.Sent)
	}
	got, rr := w.restore(2)
	if rr.ProblemCount != 0 {
		t.Fatalf("problems: %v", rr.Problems)
	}
	treetest.Same(t, w.source, got)
}

func TestServersThatGoAwayAreNotCalledLostFiles(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(600+i), 4<<20))
	}
	w.backup()
	s := w.load(1)
	w.gateway.SetServers(6, 6)
	for _, p := range contentPacks(s) {
		w.gateway.LoseShares(p.Cap, 2)
	}
	o := restore.Options{Places: restore.ResolvePlaces(s, t.TempDir())}
	if r, err := restore.Run(t.Context(), w.vault(), s, o, nil); err != nil || r.ProblemCount != 12 {
		t.Errorf("with all servers there: %d problems, %v", r.ProblemCount, err)
	}
	v := w.vault()
	started := make(chan struct{})
	go func() { close(started); w.gateway.SetServers(2, 6) }()
	<-started
	if _, err := restore.Run(t.Context(), v, s, o, nil); !errors.Is(err, tahoeclient.ErrNotEnoughShares) {
		t.Errorf("with two of six servers: %v", err)
	}
}
