package restore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/progress"
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

func TestStoppedBackupContinues(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(100+i), 8<<20))
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil && w.gateway.StoredBytes() < 80<<20 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := backup.Run(ctx, w.vault(), w.backupOptions(), nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped backup returned %v", err)
	}
	d, err := w.vault().Read(t.Context())
	if err != nil || len(d.Snapshots) != 0 {
		t.Fatalf("a stopped backup left %d snapshots, %v", len(d.Snapshots), err)
	}
	r := w.backup()
	if r.Resumed == 0 || r.Sent > 110<<20 {
		t.Errorf("the second run sent %d MiB again and used %d packs of the first", r.Sent>>20, r.Resumed)
	}
	got, _ := w.restore(1)
	treetest.Same(t, w.source, got)
}

func TestRestoreFetchesOnlyWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(200+i), 4<<20))
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
	if r.Files != 1 || r.Present != 18 || r.Fetched > 12<<20 {
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
	c, err := restore.Compare(t.Context(), w.vault(), s, restore.Options{Places: map[string]string{"papers": w.source}}, true, nil)
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

func TestBackupCutOffTwiceDoesNotStartOver(t *testing.T) {
	w := newWorld(t)
	for i := range 24 {
		w.write(fmt.Sprintf("film %02d", i), treetest.Random(uint64(400+i), 8<<20))
	}
	for _, until := range []int64{70 << 20, 130 << 20} {
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
	}
	r := w.backup()
	if r.Sent > 110<<20 {
		t.Errorf("the third run sent %d of 192 MiB again", r.Sent>>20)
	}
	got, _ := w.restore(1)
	treetest.Same(t, w.source, got)
}

func TestStoppedRestoreContinuesToTheLastDetail(t *testing.T) {
	w := newWorld(t)
	for i := range 40 {
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
		for ctx.Err() == nil && tracker.Status().Bytes < 100<<20 {
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
	if _, err := restore.Run(t.Context(), v, s, o, nil); !errors.Is(err, vault.ErrTooFewServers) && !errors.Is(err, tahoeclient.ErrNotEnoughShares) {
		t.Errorf("with two of six servers: %v", err)
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

func TestLinkPlantedAtTheTargetIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	w.write("note", []byte("text"))
	w.backup()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "papers")); err != nil {
		t.Fatal(err)
	}
	r, err := w.restoreTo(dir, 1, func(o *restore.Options) { o.Overwrite = restore.OverwriteAlways })
	if err != nil || r.ProblemCount != 2 || !errors.Is(r.Problems[0], restore.ErrInTheWay) {
		t.Errorf("%v, problems %v", err, r.Problems)
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("written outside the target: %v", left)
	}
	r, err = w.restoreTo(dir, 1, func(o *restore.Options) { o.Follow = true })
	if err != nil || r.Files != 1 {
		t.Errorf("where the link is the person's own: %v, %v", err, r.Problems)
	}
}

func TestTwoRestoresToOnePlaceAreRefused(t *testing.T) {
	w := newWorld(t)
	w.write("note", []byte("text"))
	w.backup()
	dir := t.TempDir()
	mark := filepath.Join(dir, ".hidden-backup-unfinished")
	f, err := os.Create(mark)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := w.restoreTo(dir, 1); !errors.Is(err, restore.ErrTargetBusy) {
		t.Errorf("got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.restoreTo(dir, 1); err != nil {
		t.Errorf("after a run that was killed: %v", err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark stays: %v", err)
	}
}

// A folder may be ours where the one around it is not. Root may write
// everywhere, so the test runs itself as nobody.
func TestFolderInAForeignOneIsRestored(t *testing.T) {
	if os.Geteuid() == 0 {
		dir, err := os.MkdirTemp("", "nobody")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		mine := filepath.Join(dir, "foreign", "papers")
		if err := errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(mine, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o777),
			os.Chmod(filepath.Join(dir, "tmp"), 0o777), os.Chown(mine, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestFolderInAForeignOneIsRestored$", "-test.v")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Env, cmd.Dir = []string{"FOREIGN=" + filepath.Join(dir, "foreign"), "TMPDIR=" + filepath.Join(dir, "tmp"), "HOME=/"}, "/"
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("as nobody: %v\n%s", err, out)
		}
		return
	}
	foreign := os.Getenv("FOREIGN")
	if foreign == "" {
		t.Skip("needs a folder that belongs to somebody else: run as root")
	}
	w := newWorld(t)
	w.write("note", []byte("text"))
	w.backup()
	r, err := w.restoreTo(foreign, 1)
	if err != nil || r.ProblemCount != 0 || r.Files != 1 {
		t.Errorf("%v, problems %v", err, r.Problems)
	}
}
