package restore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

func TestEverythingComesBack(t *testing.T) {
	w := newWorld(t)
	treetest.Nasty(t, w.source)
	r := w.backup()
	if r.ProblemCount != 0 {
		t.Fatalf("problems: %v", r.Problems)
	}
	got, rr := w.restore(1)
	if rr.ProblemCount != 0 || rr.WarningCount != 0 {
		t.Fatalf("problems %v, warnings %v", rr.Problems, rr.Warnings)
	}
	treetest.Same(t, w.source, got)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(got, "sparse"), &st); err != nil || st.Blocks*512 > 4<<20 {
		t.Errorf("the sparse file takes %d bytes on disk, %v", st.Blocks*512, err)
	}
	if content := treetest.Random(1, 9<<20); r.Sent > int64(len(content))+8<<20 {
		t.Errorf("%d bytes were sent for 9 MiB of content in two copies", r.Sent)
	}
	for _, secret := range []string{"papers", "deep", "all work and no play", "empty folder"} {
		if w.gateway.Contains(secret) {
			t.Errorf("the grid shows %q", secret)
		}
	}
}

func TestUnchangedBackupSendsAlmostNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 3000 {
		w.write(fmt.Sprintf("d%02d/f%04d", i%30, i), treetest.Random(uint64(i), 2000))
	}
	first := w.backup()
	second := w.backup()
	if second.Packs != 0 || second.Sent > 8<<10 {
		t.Errorf("nothing changed and %d packs were sent (first run: %d)", second.Packs, first.Packs)
	}
	if second.Info.Sequence != 2 || second.Info.Parent != 1 || second.New != 0 {
		t.Errorf("second run: %+v", second)
	}
	got, _ := w.restore(2)
	treetest.Same(t, w.source, got)
}

func TestMovedAndCopiedContentIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	w.write("old place/film", treetest.Random(7, 20<<20))
	w.backup()
	if err := os.Rename(filepath.Join(w.source, "old place"), filepath.Join(w.source, "a new place")); err != nil {
		t.Fatal(err)
	}
	w.write("copy", treetest.Random(7, 20<<20))
	r := w.backup()
	if r.Sent > 64<<10 {
		t.Errorf("%d bytes were sent for content the grid has", r.Sent)
	}
	got, _ := w.restore(2)
	treetest.Same(t, w.source, got)
}

func TestOlderSnapshotsStay(t *testing.T) {
	w := newWorld(t)
	path := w.write("report", []byte("first"))
	w.backup()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.write("other", []byte("second"))
	w.backup()
	got, _ := w.restore(1)
	if b, err := os.ReadFile(filepath.Join(got, "report")); err != nil || string(b) != "first" {
		t.Errorf("snapshot 1 has %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(got, "other")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("snapshot 1 has a later file: %v", err)
	}
}

func TestChosenPathsComeBackAlone(t *testing.T) {
	w := newWorld(t)
	treetest.Nasty(t, w.source)
	w.backup()
	got, r := w.restore(1, func(o *restore.Options) { o.Select = []string{"papers/a", "papers/zz hard"} })
	if r.ProblemCount != 0 {
		t.Fatalf("problems: %v", r.Problems)
	}
	for _, name := range []string{"a/b/c/d/deep", "a/up", "a/hard", "zz hard"} {
		if _, err := os.Lstat(filepath.Join(got, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(filepath.Join(got, "text")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was not chosen came too: %v", err)
	}
	x, err1 := os.Stat(filepath.Join(got, "a", "hard"))
	y, err2 := os.Stat(filepath.Join(got, "zz hard"))
	if err1 != nil || err2 != nil || !os.SameFile(x, y) {
		t.Error("two names of one file came back as two files")
	}
	if _, err := w.restoreTo(t.TempDir(), 1, func(o *restore.Options) { o.Select = []string{"papers/nothing"} }); !errors.Is(err, restore.ErrSelection) {
		t.Errorf("an unknown path: %v", err)
	}
}

func TestCompareFindsEachKindOfDifference(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"same", "edited", "gone", "chmod", "typed", "resized"} {
		w.write(name, []byte("content of "+name))
	}
	w.backup()
	w.write("edited", []byte("content of EDITED"[:len("content of edited")]))
	w.write("resized", []byte("c"))
	w.write("extra/new", nil)
	if err := errors.Join(
		os.Remove(filepath.Join(w.source, "gone")), os.Remove(filepath.Join(w.source, "typed")),
		os.Mkdir(filepath.Join(w.source, "typed"), 0o755), os.Chmod(filepath.Join(w.source, "chmod"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s := w.load(1)
	c, err := restore.Compare(t.Context(), w.vault(), s, restore.Options{Places: map[string]string{"papers": w.source}}, restore.CompareOptions{Owners: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]restore.Difference)
	for _, d := range c.Differences {
		got[strings.TrimPrefix(d.Path, "papers/")] = d.How
	}
	want := map[string]restore.Difference{"papers": restore.DifferenceMetadata, "edited": restore.DifferenceContent, "resized": restore.DifferenceContent, "gone": restore.DifferenceMissing,
		"chmod": restore.DifferenceMetadata, "typed": restore.DifferenceType, "extra": restore.DifferenceExtra, "extra/new": restore.DifferenceExtra}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	w := newWorld(t)
	w.write("a", []byte("a"))
	w.write("b", []byte("b"))
	// A file that vanishes between listing and reading stands for one that
	// cannot be read, which root never meets.
	if err := os.Remove(filepath.Join(w.source, "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc/self/mem", filepath.Join(w.source, "c")); err != nil {
		t.Fatal(err)
	}
	r := w.backup()
	if r.ProblemCount != 0 || r.Info.Totals.Files != 1 {
		t.Errorf("%+v", r)
	}
}

func TestFoldersThatShareAFileRestoreAlone(t *testing.T) {
	w := newWorld(t)
	path := w.write("a/file", []byte("shared"))
	other := filepath.Join(filepath.Dir(w.source), "other")
	if err := errors.Join(os.Mkdir(other, 0o755), os.Link(path, filepath.Join(other, "again"))); err != nil {
		t.Fatal(err)
	}
	o := w.backupOptions()
	o.Folders = append(o.Folders, backup.Folder{Folder: snapshot.Folder{Name: "other", Path: other, Tier: 1}, Root: other})
	if _, err := backup.Run(t.Context(), w.vault(), o, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r, err := w.restoreTo(dir, 1, func(o *restore.Options) { o.Tier = 1 })
	if err != nil || r.ProblemCount != 0 {
		t.Fatalf("%v, %v", err, r.Problems)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "other", "again")); string(b) != "shared" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestBackupOfOneFolderInBetweenMakesNothingNew(t *testing.T) {
	w := newWorld(t)
	small := filepath.Join(t.TempDir(), "small")
	treetest.Write(t, small, "note", []byte("x"))
	w.write("film", treetest.Random(80, 12<<20))
	both := func() backup.Options {
		o := w.backupOptions()
		o.Folders = append(o.Folders, backup.Folder{Folder: snapshot.Folder{Name: "small", Path: small}, Root: small})
		return o
	}
	only := both()
	only.Folders = only.Folders[1:]
	for i, o := range []backup.Options{both(), only, both()} {
		r, err := backup.Run(t.Context(), w.vault(), o, nil)
		if err != nil || i > 0 && r.Sent > 100<<10 {
			t.Errorf("run %d: %d bytes sent, %v", i+1, r.Sent, err)
		}
		// Who backs less up than the last time is told.
		if dropped := len(r.Dropped); dropped != []int{0, len(only.Folders), 0}[i] {
			t.Errorf("run %d: %q was left away", i+1, r.Dropped)
		}
	}
}

func TestFileOfCountlessHolesComesBack(t *testing.T) {
	w := newWorld(t)
	f, err := os.Create(filepath.Join(w.source, "image"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		if _, err := f.WriteAt([]byte{byte(i), 1}, int64(i)*12000); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.backup()
	got, _ := w.restore(1)
	treetest.Same(t, w.source, got)
}
