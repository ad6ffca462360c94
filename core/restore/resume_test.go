package restore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// overlap is what a run that is cut off, and fetches one pack at a time, may
// have fetched in vain: the chunk on its way, and what lies between chunks that
// are fetched together. It is also more than the listing.
const overlap = snapshot.MaxChunk + 2<<20

func oneAtATime(o *restore.Options) { o.Downloads = 1 }

// partOf is where an unfinished file stands.
func partOf(path string) string {
	sum := sha256.Sum256([]byte(filepath.Base(path)))
	return filepath.Join(filepath.Dir(path), ".hidden-backup-part-"+hex.EncodeToString(sum[:]))
}

// stood is how much of an unfinished file is there.
func stood(path string) int64 {
	var st unix.Stat_t
	if unix.Lstat(partOf(path), &st) != nil {
		return 0
	}
	return st.Blocks * 512
}

// until calls then once ok is true.
func until(t *testing.T, ok func() bool, then func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("it took too long")
				break
			}
		}
		then()
	}()
	return func() { <-done }
}

// sameFile compares what treetest.Same finds too large.
func sameFile(t *testing.T, want, got string) {
	t.Helper()
	a, err1 := os.ReadFile(want)
	b, err2 := os.ReadFile(got)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("%s is not what it was: %v, %v", filepath.Base(got), err1, err2)
	}
}

// nothingLeft fails the test if a temporary file is left.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
		if strings.HasPrefix(filepath.Base(path), ".hidden-backup-") {
			t.Errorf("left behind: %s", path)
		}
		return nil
	})
}

// cutOff restores until n bytes are written and then ends the run by cut.
func (w *world) cutOff(dir string, snap uint64, n int64, cut func(cancel func())) error {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	tracker := new(progress.Tracker)
	wait := until(w.t.(*testing.T), func() bool { return tracker.Status().Bytes >= n }, func() { cut(cancel) })
	s := w.load(snap)
	_, err := restore.Run(ctx, w.vault(), s, restore.Options{Places: restore.ResolvePlaces(s, dir), Downloads: 1}, tracker)
	wait()
	return err
}

func TestRestoreOfOneLargeFileContinuesHoweverItWasCutOff(t *testing.T) {
	const size, cut = 32 << 20, 16 << 20
	restore.SetWindow(t, 8<<20)
	w := newWorld(t)
	film := w.write("film", treetest.Random(11, size))
	w.backup()
	ends := map[string]func(dir string){
		"stopped": func(dir string) {
			if err := w.cutOff(dir, 1, cut, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
				t.Errorf("a stopped restore returned %v", err)
			}
		},
		"gateway gone": func(dir string) {
			err := w.cutOff(dir, 1, cut, func(func()) { w.gateway.Stop() })
			w.gateway.Start()
			if !errors.Is(err, tahoeclient.ErrNotAnswering) {
				t.Errorf("without a gateway: %v", err)
			}
		},
		"killed": func(dir string) { w.killedRestore(dir, filepath.Join(dir, "papers", "film"), cut) },
	}
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			got := filepath.Join(dir, "papers", "film")
			end(dir)
			if _, err := os.Lstat(got); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("half a file has its name: %v", err)
			}
			before := stood(got)
			r, err := w.restoreTo(dir, 1, oneAtATime)
			if err != nil || r.ProblemCount != 0 {
				t.Fatalf("%v, %v", err, r.Problems)
			}
			t.Logf("%d MiB stood, %d were used, %d of %d fetched", before>>20, r.Continued>>20, r.Fetched>>20, size>>20)
			if before < cut-overlap || r.Fetched > size-before+overlap || r.Continued < before-overlap {
				t.Errorf("%d bytes stood, %d were used, %d fetched again", before, r.Continued, r.Fetched)
			}
			sameFile(t, film, got)
			nothingLeft(t, dir)
		})
	}
}

// killedRestore runs a restore in a process of its own and kills it once so
// much of a file stands.
func (w *world) killedRestore(dir, path string, n int64) {
	w.t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestRestoreInAProcessOfItsOwn$")
	cmd.Env = append(os.Environ(), "RESTORE_SOCKET="+w.gateway.Socket(), "RESTORE_VAULT="+w.dir.Secret(), "RESTORE_TO="+dir)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	until(w.t.(*testing.T), func() bool { return stood(path) >= n }, func() { cmd.Process.Kill() })()
	cmd.Wait()
}

func TestRestoreInAProcessOfItsOwn(t *testing.T) {
	dir := os.Getenv("RESTORE_TO")
	if dir == "" {
		t.Skip("only as the child of another test")
	}
	keys, err1 := snapshot.NewKeys([32]byte{42})
	vaultCap, err2 := tahoeclient.ParseCap(os.Getenv("RESTORE_VAULT"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(os.Getenv("RESTORE_SOCKET"), tahoeclient.Options{})
	defer client.Close()
	w := &world{t: t, client: client, keys: keys, dir: vaultCap}
	s := w.load(1)
	// Slow enough to be caught in the act.
	v := vault.New(client, keys, vault.Options{Directory: vaultCap, Needed: 3, Happy: 5, Total: 6,
		Limits: vault.Limits{Download: rate.NewLimiter(16<<20, 1<<20)}})
	if _, err := restore.Run(t.Context(), v, s, restore.Options{Places: restore.ResolvePlaces(s, dir), Downloads: 1}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestManyFilesThatWereWrittenWhenARunWasKilledAreNotFetchedAgain(t *testing.T) {
	const files, size = 40, 700_000
	w := newWorld(t)
	for i := range files {
		w.write(fmt.Sprintf("photo %03d", i), treetest.Random(uint64(700+i), size))
	}
	w.backup()
	dir := t.TempDir()
	got := filepath.Join(dir, "papers")
	w.killedRestore(dir, filepath.Join(got, "photo 020"), 1)
	var before int64
	names, _ := os.ReadDir(got)
	for _, e := range names {
		if info, err := e.Info(); err == nil {
			before += info.Size()
		}
	}
	r, err := w.restoreTo(dir, 1, oneAtATime)
	if err != nil || r.ProblemCount != 0 || before == 0 {
		t.Fatalf("%v, %v, %d bytes stood", err, r.Problems, before)
	}
	if r.Fetched > files*size-before+overlap {
		t.Errorf("%d of %d bytes stood, %d were fetched", before, files*size, r.Fetched)
	}
	treetest.Same(t, w.source, got)
	nothingLeft(t, dir)
}

func TestWhatStandsAfterAPowerCutIsNotTrusted(t *testing.T) {
	const size = 40 << 20
	w := newWorld(t)
	film := w.write("film", treetest.Random(12, size))
	w.backup()
	dir := t.TempDir()
	got := filepath.Join(dir, "papers", "film")
	if err := w.cutOff(dir, 1, 30<<20, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	before := stood(got)
	// Blocks that never reached the disk read as zeros, or as something else.
	f, err := os.OpenFile(partOf(got), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const spots = 4
	for i := range int64(spots) {
		if _, err := f.WriteAt(make([]byte, 4096), i*size/spots+12345); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(size+4096), f.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := w.restoreTo(dir, 1, oneAtATime)
	if err != nil || r.ProblemCount != 0 || r.Continued < before-spots*snapshot.MaxChunk || r.Continued >= before {
		t.Errorf("%v, %v, %d bytes stood, %d were used", err, r.Problems, before, r.Continued)
	}
	sameFile(t, film, got)
}

func TestCutOffRestoreContinuesWithAnotherSnapshot(t *testing.T) {
	const size = 40 << 20
	w := newWorld(t)
	content := treetest.Random(13, size)
	film := w.write("film", content)
	w.write("gone tomorrow", treetest.Random(14, 4<<20))
	w.backup()
	copy(content[10<<20:], "a few other bytes")
	if err := errors.Join(os.WriteFile(film, content[:size-5<<20], 0o644), os.Remove(filepath.Join(w.source, "gone tomorrow"))); err != nil {
		t.Fatal(err)
	}
	w.backup()
	dir := t.TempDir()
	got := filepath.Join(dir, "papers", "film")
	if err := w.cutOff(dir, 1, 30<<20, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	treetest.Write(t, dir, "papers/"+filepath.Base(partOf("gone tomorrow")), []byte("half of it"))
	before := stood(got)
	r, err := w.restoreTo(dir, 2, oneAtATime)
	if err != nil || r.ProblemCount != 0 || r.Continued < before-2*overlap || r.Fetched > size-before+2*overlap {
		t.Errorf("%v, %v, %d bytes stood, %d were used, %d fetched", err, r.Problems, before, r.Continued, r.Fetched)
	}
	treetest.Same(t, w.source, filepath.Join(dir, "papers"))
	sameFile(t, film, got)
	nothingLeft(t, dir)
}

func TestHolesOfACutOffFileStayHoles(t *testing.T) {
	w := newWorld(t)
	image := filepath.Join(w.source, "image")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	for i, off := range []int64{0, 30 << 20, 70 << 20} {
		if _, err := f.WriteAt(treetest.Random(uint64(20+i), 8<<20), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(100<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	w.backup()
	for _, filled := range []bool{false, true} {
		dir := t.TempDir()
		got := filepath.Join(dir, "papers", "image")
		// Holes count as done when the file is.
		if err := w.cutOff(dir, 1, 14<<20, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if filled {
			f, err := os.OpenFile(partOf(got), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte{1}, 60<<20); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		r, err := w.restoreTo(dir, 1, oneAtATime)
		if err != nil || r.ProblemCount != 0 || filled != (r.Continued == 0) || !filled && r.Fetched > 10<<20+overlap {
			t.Errorf("filled %v: %v, %v, %d bytes used, %d fetched", filled, err, r.Problems, r.Continued, r.Fetched)
		}
		sameFile(t, image, got)
		var st unix.Stat_t
		if err := unix.Stat(got, &st); err != nil || st.Blocks*512 > 30<<20 {
			t.Errorf("it takes %d bytes on disk, %v", st.Blocks*512, err)
		}
	}
}

func TestNamePlantedForAnUnfinishedFileIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	note := w.write("note", bytes.Repeat([]byte("text"), 1000))
	w.backup()
	plant := map[string]func(victim, at string) error{
		"link":      os.Symlink,
		"hard link": os.Link,
		"pipe":      func(_, at string) error { return unix.Mkfifo(at, 0o666) },
		"folder":    func(_, at string) error { return os.Mkdir(at, 0o755) },
		"garbage":   func(_, at string) error { return os.WriteFile(at, treetest.Random(1, 10_000), 0o600) },
	}
	if os.Geteuid() == 0 {
		plant["somebody's"] = func(_, at string) error {
			return errors.Join(os.WriteFile(at, bytes.Repeat([]byte("text"), 1000), 0o666), os.Chown(at, 65534, 65534))
		}
		plant["device"] = func(_, at string) error { return unix.Mknod(at, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) }
	}
	for what, put := range plant {
		dir := t.TempDir()
		victim := treetest.Write(t, dir, "victim", []byte("untouched"))
		got := filepath.Join(dir, "papers", "note")
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "papers"), 0o777), put(victim, partOf(got))); err != nil {
			t.Fatal(err)
		}
		r, err := w.restoreTo(dir, 1, oneAtATime)
		if err != nil || r.ProblemCount != 0 || r.Files != 1 || r.Continued != 0 {
			t.Errorf("%s: %v, %v, %d bytes used", what, err, r.Problems, r.Continued)
		}
		sameFile(t, note, got)
		if b, err := os.ReadFile(victim); string(b) != "untouched" {
			t.Errorf("%s: the victim is %q, %v", what, b, err)
		}
		var st unix.Stat_t
		if err := unix.Stat(got, &st); err != nil || int(st.Uid) != os.Geteuid() || st.Nlink != 1 {
			t.Errorf("%s: the file belongs to %d and has %d names, %v", what, st.Uid, st.Nlink, err)
		}
		if what != "folder" {
			nothingLeft(t, dir)
		}
	}
}

// smallDisk is a file system of so many bytes, gone with the test.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting is not possible here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestSpaceThatAnUnfinishedFileTakesIsNotNeededTwice(t *testing.T) {
	w := newWorld(t)
	film := w.write("film", treetest.Random(15, 30<<20))
	w.backup()
	dir := smallDisk(t, 40<<20)
	if err := w.cutOff(dir, 1, 15<<20, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if r, err := w.restoreTo(dir, 1, oneAtATime); err != nil || r.Files != 1 || r.Continued == 0 {
		t.Fatalf("%v, %v", err, r.Problems)
	}
	sameFile(t, film, filepath.Join(dir, "papers", "film"))
}

func TestFullDiskGetsItsSpaceBackAndTheNextTrySucceeds(t *testing.T) {
	w := newWorld(t)
	film := w.write("film", treetest.Random(16, 30<<20))
	w.backup()
	dir := smallDisk(t, 40<<20)
	filler := filepath.Join(dir, "filler")
	err := w.cutOff(dir, 1, 5<<20, func(func()) { os.WriteFile(filler, make([]byte, 40<<20), 0o600) })
	if !errors.Is(err, restore.ErrNoSpace) {
		t.Fatalf("restoring to a full disk: %v", err)
	}
	got := filepath.Join(dir, "papers", "film")
	if n := stood(got); n != 0 {
		t.Errorf("%d bytes of a full disk are still taken", n)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r, err := w.restoreTo(dir, 1, oneAtATime); err != nil || r.Files != 1 {
		t.Fatalf("the next try: %v, %v", err, r.Problems)
	}
	sameFile(t, film, got)
	nothingLeft(t, dir)
}

// BenchmarkSmallFiles restores many small files from a gateway that costs
// nothing: what is left is our own work.
func BenchmarkSmallFiles(b *testing.B) {
	w := newWorld(b)
	for i := range 5000 {
		w.write(fmt.Sprintf("d%02d/f%04d", i%50, i), treetest.Random(uint64(i), 2000))
	}
	w.backup()
	s := w.load(1)
	for b.Loop() {
		b.StopTimer()
		dir, err := os.MkdirTemp("/dev/shm", "restore")
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := restore.Run(b.Context(), w.vault(), s, restore.Options{Places: restore.ResolvePlaces(s, dir)}, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		os.RemoveAll(dir)
		b.StartTimer()
	}
}
