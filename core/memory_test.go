package core

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// memory is a vault on an in-memory grid, a folder, and what each snapshot of
// it must bring back.
type memory struct {
	*Grid
	t       *testing.T
	gateway *tahoetest.Gateway
	source  string
	want    map[uint64]string
}

func newMemory(t *testing.T) *memory {
	t.Helper()
	gateway := tahoetest.NewGateway(t)
	gateway.SetServers(6, 6)
	gateway.SetEncoding(3, 5, 6)
	m := &manifest.Manifest{Name: "test", Grid: manifest.Grid{Needed: 3, Happy: 5, Total: 6, Network: manifest.NetworkPractice}}
	var err error
	if m.RootSecret, err = manifest.NewSecret(nil); err != nil {
		t.Fatal(err)
	}
	if m.Gateway.LeaseSecret, err = manifest.NewSecret(nil); err != nil {
		t.Fatal(err)
	}
	keys, err := snapshot.NewKeys([32]byte(m.RootSecret.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(gateway.Socket(), tahoeclient.Options{Attempts: 2, RetryWait: time.Millisecond})
	t.Cleanup(client.Close)
	o := vault.Options{Needed: 3, Happy: 5, Total: 6}
	if m.Vault, err = vault.Create(t.Context(), client, keys, o, vault.Config{}); err != nil {
		t.Fatal(err)
	}
	o.Directory = m.Vault
	w := &memory{t: t, gateway: gateway, source: filepath.Join(t.TempDir(), "source"), want: make(map[uint64]string)}
	w.Grid = &Grid{
		connection: connection{grid: m.Grid, client: client, wait: 5 * time.Second},
		access:     &Access{owner: m, reader: &manifest.Reader{Grid: m.Grid}, keys: keys},
		vault:      vault.New(client, keys, o),
	}
	return w
}

func (w *memory) plan() BackupPlan {
	return BackupPlan{Folders: []manifest.Folder{{Name: "papers", Path: w.source}}}
}

func (w *memory) write(name string, content []byte) {
	w.t.Helper()
	treetest.Write(w.t, w.source, name, content)
}

func (w *memory) remove(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(w.source, name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// backup makes a snapshot and notes what it must bring back.
func (w *memory) backup() uint64 {
	w.t.Helper()
	r, err := w.Backup(w.t.Context(), Config{}, w.plan(), nil)
	if err != nil || r.ProblemCount > 0 {
		w.t.Fatalf("backup: %v, %v", err, r.Problems)
	}
	w.want[r.Info.Sequence] = w.restored(r.Info.Sequence)
	treetest.Same(w.t, w.source, w.want[r.Info.Sequence])
	return r.Info.Sequence
}

func (w *memory) restored(n uint64) string {
	w.t.Helper()
	chosen, err := w.Choose(w.t.Context(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	r, err := w.Restore(w.t.Context(), chosen.Snapshot, restore.Options{Places: restore.ResolvePlaces(chosen.Snapshot, dir)}, nil)
	if err != nil || r.ProblemCount > 0 || r.WarningCount > 0 {
		w.t.Fatalf("restoring snapshot %d: %v, %v, %v", n, err, r.Problems, r.Warnings)
	}
	w.t.Cleanup(func() { os.Chmod(filepath.Join(dir, "papers", "closed"), 0o700) })
	return filepath.Join(dir, "papers")
}

// whole restores every snapshot that is linked and returns their numbers.
func (w *memory) whole() []uint64 {
	w.t.Helper()
	d, err := w.vault.Read(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range d.Numbers() {
		treetest.Same(w.t, w.want[n], w.restored(n))
	}
	return d.Numbers()
}

func (w *memory) inv() *vault.Inventory {
	w.t.Helper()
	_, inv, err := w.inventory(w.t.Context())
	if err != nil || len(inv.Broken) > 0 {
		w.t.Fatalf("%v, %v", err, inv.Broken)
	}
	return inv
}

// packs are the packs of an inventory.
func packsOf(inv *vault.Inventory) map[tahoeclient.Cap]bool {
	packs := make(map[tahoeclient.Cap]bool)
	for _, o := range inv.Objects {
		if o.Kind == vault.KindPack {
			packs[o.Cap] = true
		}
	}
	return packs
}

// expire takes from the grid every object that the inventory does not name, as
// servers do once nothing renews it.
func (w *memory) expire() {
	w.t.Helper()
	live := make(map[tahoeclient.Cap]bool)
	for _, o := range w.inv().Objects {
		live[o.Cap] = true
	}
	for _, o := range w.gateway.Objects() {
		if !live[o.Cap] {
			w.gateway.LoseObject(o.Cap)
		}
	}
}

func (w *memory) forget(p ForgetPlan) ForgetReport {
	w.t.Helper()
	r, err := w.Forget(w.t.Context(), Config{}, p, nil)
	if err != nil {
		w.t.Fatalf("forget: %v", err)
	}
	return r
}

// live is how long a pack of what the vault needs of each would be, by its listings.
func (w *memory) live() map[tahoeclient.Cap]int64 {
	w.t.Helper()
	d, err := w.vault.Read(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	spots := make(map[tahoeclient.Cap]map[uint32]uint32) // by offset
	for _, l := range d.Links() {
		s, err := w.vault.Load(w.t.Context(), l.Cap, l.Sequence)
		if err != nil {
			w.t.Fatal(err)
		}
		note := func(r snapshot.ChunkRef) {
			if !r.Hole() {
				c := s.Packs[r.Pack].Cap
				if spots[c] == nil {
					spots[c] = make(map[uint32]uint32)
				}
				spots[c][r.Offset] = r.Sealed
			}
		}
		for _, r := range s.Listing {
			note(r)
		}
		if err := w.Entries(w.t.Context(), s, func(e *snapshot.Entry) error {
			for _, r := range e.Chunks {
				note(r)
			}
			return nil
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	sizes := make(map[tahoeclient.Cap]int64)
	for c, chunks := range spots {
		for _, n := range chunks {
			sizes[c] += int64(n)
		}
		sizes[c] = snapshot.PackLength(len(chunks), sizes[c])
	}
	return sizes
}

// years makes a vault with five snapshots whose packs are mostly dead once the
// first three are gone.
func years(t *testing.T) *memory {
	w := newMemory(t)
	w.write("sparse", treetest.Random(1, 300<<10))
	if err := os.Truncate(filepath.Join(w.source, "sparse"), 3<<20); err != nil {
		t.Fatal(err)
	}
	w.fiveYears(24, 90<<10, 1<<20)
	return w
}

// fiveYears makes the five snapshots: of whatever is in the source, of so many
// diaries of that size, most of which are removed later, and of a film that is
// there for a while.
func (w *memory) fiveYears(diaries, size, film int) {
	w.t.Helper()
	for i := range diaries {
		w.write(fmt.Sprintf("diary/%02d", i), treetest.Random(uint64(100+i), size))
	}
	w.backup()
	for i := range diaries {
		if i%4 > 0 {
			w.remove(fmt.Sprintf("diary/%02d", i))
		}
	}
	w.remove("big") // its copy stays
	w.write("later/film", append(treetest.Random(101, size), treetest.Random(300, film)...))
	w.backup()
	w.remove("later")
	w.write("later/photo", treetest.Random(301, 3*size))
	if err := os.Link(filepath.Join(w.source, "later/photo"), filepath.Join(w.source, "diary", "photo")); err != nil {
		w.t.Fatal(err)
	}
	w.backup()
	w.remove("diary/00", "diary/04")
	w.backup()
	w.write("note", []byte("the last"))
	w.backup()
}
