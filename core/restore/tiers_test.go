package restore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// tiers backs up a large folder that comes first in the listing and is needed
// last, and a small one the other way round.
func tiers(t *testing.T, fill func(archive, urgent string)) (*world, *snapshot.Snapshot) {
	t.Helper()
	w := newWorld(t)
	archive, urgent := filepath.Join(w.source, "a"), filepath.Join(w.source, "z")
	for _, dir := range []string{archive, urgent} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	fill(archive, urgent)
	o := w.options
	o.Folders = []backup.Folder{
		{Folder: snapshot.Folder{Name: "archive", Path: archive, Tier: 3}, Root: archive},
		{Folder: snapshot.Folder{Name: "urgent", Path: urgent, Tier: 1}, Root: urgent},
	}
	if _, err := backup.Run(t.Context(), w.vault(), o, nil); err != nil {
		t.Fatal(err)
	}
	return w, w.load(1)
}

// On a slow line the contacts must not wait for the archive.
func TestTheFirstHourComesFirst(t *testing.T) {
	w, s := tiers(t, func(archive, urgent string) {
		treetest.Write(t, archive, "film", treetest.Random(1, 24<<20))
		treetest.Write(t, urgent, "contacts", treetest.Random(2, 100<<10))
	})
	out := t.TempDir()
	contacts, film := filepath.Join(out, "urgent", "contacts"), filepath.Join(out, "archive", "film")
	exists := func(path string) bool { _, err := os.Lstat(path); return err == nil }
	early := false
	wait := until(t, func() bool { return exists(contacts) }, func() { early = !exists(film) })
	// The film takes longer than a second at this rate.
	v := vault.New(w.client, w.keys, vault.Options{Directory: w.dir, Needed: 3, Happy: 5, Total: 6, Limits: vault.Limits{Download: rate.NewLimiter(16<<20, 1<<20)}})
	r, err := restore.Run(t.Context(), v, s, restore.Options{Places: restore.ResolvePlaces(s, out), Downloads: 1}, nil)
	wait()
	if err != nil || r.ProblemCount != 0 || r.Files != 2 || r.Folders != 2 {
		t.Fatalf("%v, %+v", err, r)
	}
	if !early {
		t.Error("the contacts came only when the film was there")
	}
	treetest.Same(t, filepath.Join(w.source, "a"), filepath.Join(out, "archive"))
	treetest.Same(t, filepath.Join(w.source, "z"), filepath.Join(out, "urgent"))
}

// What is needed in the first hour has the lines for itself: nothing of what may
// come later is asked for before it is there.
func TestNothingElseIsFetchedBeforeTheFirstHourIsThere(t *testing.T) {
	w, s := tiers(t, func(archive, urgent string) {
		treetest.Write(t, archive, "film", treetest.Random(1, 24<<20))
		treetest.Write(t, urgent, "contacts", treetest.Random(2, 100<<10))
	})
	client := tahoeclient.New(w.gateway.Socket(), tahoeclient.Options{IdleTimeout: time.Second, Attempts: 1})
	t.Cleanup(client.Close)
	v := vault.New(client, w.keys, vault.Options{Directory: w.dir, Needed: 3, Happy: 5, Total: 6})
	// Once the listing is known, the first download is that of the contacts.
	if err := restore.Entries(t.Context(), v, s, func(*snapshot.Entry) error { return nil }); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	defer w.gateway.Hang(1, tahoetest.OpGet)()
	if _, err := restore.Run(t.Context(), v, s, restore.Options{Places: restore.ResolvePlaces(s, out)}, nil); !errors.Is(err, tahoeclient.ErrNotAnswering) {
		t.Fatalf("a download that hangs: %v", err)
	}
	if begun, err := os.ReadDir(filepath.Join(out, "archive")); err != nil || len(begun) > 0 {
		t.Errorf("of the archive there is %v, %v", begun, err)
	}
}
