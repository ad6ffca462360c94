package restore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

func TestRestoreFetchesOnlyWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(200+i), 1<<20))
	}
	w.backup()
	got, _ := w.restore(1)
	if err := os.Remove(filepath.Join(got, "film 07")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(got, "film 09"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := w.restoreTo(filepath.Dir(got), 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Files != 1 || r.Present != 18 || r.Fetched > 3<<20 {
		t.Errorf("restored %d, present %d, fetched %d MiB", r.Files, r.Present, r.Fetched>>20)
	}
	if len(r.Problems) != 1 || !errors.Is(r.Problems[0], restore.ErrDifferent) {
		t.Errorf("problems: %v", r.Problems)
	}
	if b, _ := os.ReadFile(filepath.Join(got, "film 09")); string(b) != "mine" {
		t.Error("a different file was overwritten")
	}
	if _, err := w.restoreTo(filepath.Dir(got), 1, func(o *restore.Options) { o.Overwrite = restore.OverwriteChanged }); err != nil {
		t.Fatal(err)
	}
	treetest.Same(t, w.source, got)
}

// Each run notes what it has stored and what the runs before it had noted: of
// the pack on its way alone it does not know whether it arrived.
func TestBackupCutOffTwiceDoesNotStartOver(t *testing.T) {
	const films, size, pack = 24, 4 << 20, snapshot.PackSize
	w := newWorld(t)
	w.options.Uploads = 1
	for i := range films {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(400+i), size))
	}
	for _, until := range []int64{20 << 20, 70 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil && w.gateway.StoredBytes() < until {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		if _, err := backup.Run(ctx, w.vault(), w.backupOptions(), nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("a stopped backup returned %v", err)
		}
		if d, err := w.vault().Read(t.Context()); err != nil || len(d.Snapshots) != 0 {
			t.Fatalf("a stopped backup left %d snapshots, %v", len(d.Snapshots), err)
		}
	}
	r := w.backup()
	if stored := w.gateway.StoredBytes(); r.Resumed == 0 || stored > films*size+2*pack+2<<20 {
		t.Errorf("the three runs sent %d MiB for %d; the last one used %d packs of those before", stored>>20, films*size>>20, r.Resumed)
	}
	got, _ := w.restore(1)
	treetest.Same(t, w.source, got)
}

func TestStoppedRestoreContinuesToTheLastDetail(t *testing.T) {
	restore.SetWindow(t, 8<<20)
	w := newWorld(t)
	for i := range 12 {
		path := w.write(fmt.Sprintf("folder %02d/film", i), treetest.Random(uint64(500+i), 4<<20))
		if err := os.Chmod(filepath.Dir(path), 0o751); err != nil {
			t.Fatal(err)
		}
	}
	w.backup()
	dir := filepath.Join(t.TempDir(), "restored")
	s := w.load(1)
	ctx, cancel := context.WithCancel(t.Context())
	tracker := new(progress.Tracker)
	go func() {
		for ctx.Err() == nil && tracker.Status().Bytes < 30<<20 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	o := restore.Options{Places: restore.ResolvePlaces(s, dir)}
	if _, err := restore.Run(ctx, w.vault(), s, o, tracker); !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped restore returned %v", err)
	}
	r, err := w.restoreTo(dir, 1)
	if err != nil || r.ProblemCount != 0 {
		t.Fatalf("%v, %v", err, r.Problems)
	}
	treetest.Same(t, w.source, filepath.Join(dir, "papers"))
	if left, _ := filepath.Glob(filepath.Join(dir, ".hidden-backup-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRestoreOfAPartDoesNotEndWhatWasCutOffBefore(t *testing.T) {
	for what, part := range map[string]func(*restore.Options){
		"one file": func(o *restore.Options) { o.Select = []string{"papers/folder 00/film"} },
		"a tier":   func(o *restore.Options) { o.Tier = 1 },
	} {
		t.Run(what, func(t *testing.T) {
			restore.SetWindow(t, 4<<20)
			w := newWorld(t)
			for i := range 4 {
				w.write(fmt.Sprintf("folder %02d/film", i), treetest.Random(uint64(600+i), 8<<20))
			}
			letters := treetest.Write(t, t.TempDir(), "letters/letter", []byte("dear"))
			folders := []backup.Folder{
				{Folder: snapshot.Folder{Name: "letters", Path: filepath.Dir(letters), Tier: 1}, Root: filepath.Dir(letters)},
				w.backupOptions().Folders[0],
			}
			if _, err := backup.Run(t.Context(), w.vault(), backup.Options{Folders: folders}, nil); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := w.cutOff(dir, 1, 20<<20, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
				t.Fatalf("a stopped restore returned %v", err)
			}
			unfinished := func() (found []string) {
				found, _ = filepath.Glob(filepath.Join(dir, "papers", "*", ".hidden-backup-part-*"))
				return found
			}
			before := unfinished()
			if r, err := w.restoreTo(dir, 1, part, oneAtATime); err != nil || r.ProblemCount != 0 {
				t.Fatalf("%v, %v", err, r.Problems)
			}
			if after := unfinished(); len(before) == 0 || len(after) < len(before) {
				t.Errorf("of what was unfinished, %v, there is left %v", before, after)
			}
			if r, err := w.restoreTo(dir, 1); err != nil || r.ProblemCount != 0 || r.Continued == 0 {
				t.Fatalf("%v, %v, %d bytes used", err, r.Problems, r.Continued)
			}
			treetest.Same(t, w.source, filepath.Join(dir, "papers"))
			nothingLeft(t, dir)
		})
	}
}
