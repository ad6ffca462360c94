package restore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// world is a vault on an in-memory grid and a folder to back up.
type world struct {
	t       testing.TB
	gateway *tahoetest.Gateway
	client  *tahoeclient.Client
	keys    *snapshot.Keys
	dir     tahoeclient.Cap
	source  string
	options backup.Options
}

func newWorld(t testing.TB) *world {
	t.Helper()
	g := tahoetest.NewGateway(t)
	g.SetServers(6, 6)
	g.SetEncoding(3, 5, 6)
	keys, err := snapshot.NewKeys([32]byte{42})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, gateway: g, keys: keys, source: filepath.Join(t.TempDir(), "source")}
	if err := os.Mkdir(w.source, 0o755); err != nil {
		t.Fatal(err)
	}
	w.client = tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 2, RetryWait: time.Millisecond})
	t.Cleanup(w.client.Close)
	w.dir, err = vault.Create(t.Context(), w.client, keys, vault.Options{Needed: 3, Happy: 5, Total: 6}, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) vault() *vault.Vault {
	return vault.New(w.client, w.keys, vault.Options{Directory: w.dir, Needed: 3, Happy: 5, Total: 6})
}

func (w *world) backupOptions() backup.Options {
	o := w.options
	o.Folders = []backup.Folder{{Folder: snapshot.Folder{Name: "papers", Path: w.source, Tier: 2}, Root: w.source}}
	return o
}

func (w *world) backup() backup.Report {
	w.t.Helper()
	r, err := backup.Run(w.t.Context(), w.vault(), w.backupOptions(), nil)
	if err != nil {
		w.t.Fatalf("backup: %v", err)
	}
	return r
}

func (w *world) load(n uint64) *snapshot.Snapshot {
	w.t.Helper()
	v := w.vault()
	d, err := v.Read(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := v.Load(w.t.Context(), d.Snapshots[n], n)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// restore restores snapshot n below a new directory and returns where "papers" is.
func (w *world) restore(n uint64, change ...func(*restore.Options)) (string, restore.Report) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "restored")
	r, err := w.restoreTo(dir, n, change...)
	if err != nil {
		w.t.Fatalf("restore: %v", err)
	}
	return filepath.Join(dir, "papers"), r
}

func (w *world) restoreTo(dir string, n uint64, change ...func(*restore.Options)) (restore.Report, error) {
	w.t.Helper()
	s := w.load(n)
	o := restore.Options{Places: restore.ResolvePlaces(s, dir)}
	for _, f := range change {
		f(&o)
	}
	return restore.Run(w.t.Context(), w.vault(), s, o, nil)
}

func (w *world) write(name string, content []byte) string {
	w.t.Helper()
	return treetest.Write(w.t, w.source, name, content)
}
