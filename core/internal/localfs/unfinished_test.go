package localfs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

func TestUnfinishedFileIsFoundByTheNextRunAndSweptAtItsEnd(t *testing.T) {
	root := t.TempDir()
	first := tree(t, root)
	files(t, root, "a/")
	for _, path := range []string{"a/film", "a/other", "top"} {
		stage(t, first, path, []byte("half"))
	}
	second := tree(t, root)
	if s := second.Resume([]byte("a/film")); s != nil {
		t.Error("found before the folder was looked at")
	}
	for _, dir := range [][]byte{nil, []byte("a")} {
		if n, err := second.SweepStaged(dir); n != 0 || err != nil {
			t.Errorf("swept %d from %q, %v", n, dir, err)
		}
	}
	if n := second.UnfinishedSize([]byte("a/film")); n < 4 || second.UnfinishedSize([]byte("a/none")) != 0 {
		t.Errorf("it takes %d bytes", n)
	}
	s := second.Resume([]byte("a/film"))
	if s == nil || second.Resume([]byte("a/none")) != nil {
		t.Fatalf("found %v", s)
	}
	f, err := s.OpenRead()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); string(b) != "half" {
		t.Errorf("it holds %q, %v", b, err)
	}
	if _, err := s.WriteAt([]byte(" a film"), 4); err != nil {
		t.Error(err)
	}
	if err := errors.Join(s.Sync(), s.Finish(plainFile, MetaOptions{}), s.Commit(false)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(root + "/a/film"); string(b) != "half a film" {
		t.Errorf("the file is %q, %v", b, err)
	}
	second.SweepUnfinished()
	if left := append(leftovers(t, root), leftovers(t, root+"/a")...); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// A run was cut off between Finish and Commit. The next one may write a newer
// version there, which is closed: nobody who has the old one open may read it.
func TestFileThatOthersMayHaveOpenIsNotContinued(t *testing.T) {
	root := t.TempDir()
	open := &snapshot.Entry{Type: snapshot.TypeFile, Mode: 0o644}
	if err := stage(t, tree(t, root), "f", []byte("half")).Finish(open, MetaOptions{}); err != nil {
		t.Fatal(err)
	}
	spy, err := os.Open(filepath.Join(root, partName("f")))
	if err != nil {
		t.Fatal(err)
	}
	defer spy.Close()
	next := tree(t, root)
	if _, err := next.SweepStaged(nil); err != nil {
		t.Fatal(err)
	}
	if next.UnfinishedSize([]byte("f")) == 0 {
		t.Error("the space it gives back is not counted")
	}
	if next.Resume([]byte("f")) != nil {
		t.Error("it was continued")
	}
	s := stage(t, next, "f", []byte("closed"))
	if s.temp != partName("f") {
		t.Error("the file that starts over cannot be continued")
	}
	if err := errors.Join(s.Finish(plainFile, MetaOptions{}), s.Commit(false)); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(spy); string(b) != "half" {
		t.Errorf("others read %q, %v", b, err)
	}
	if left := leftovers(t, root); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

func TestPlantedNameIsNeitherContinuedNorInTheWay(t *testing.T) {
	root := t.TempDir()
	files(t, root, "victim")
	at := filepath.Join(root, partName("f"))
	plant := map[string]func() error{
		"link":      func() error { return os.Symlink("victim", at) },
		"hard link": func() error { return os.Link(root+"/victim", at) },
		"pipe":      func() error { return unix.Mkfifo(at, 0o666) },
		"folder":    func() error { return os.Mkdir(at, 0o700) },
	}
	if os.Geteuid() == 0 {
		plant["somebody's"] = func() error { return errors.Join(os.WriteFile(at, nil, 0o666), os.Chown(at, 65534, 65534)) }
		plant["device"] = func() error { return unix.Mknod(at, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) }
	}
	for what, put := range plant {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		tr := tree(t, root)
		if _, err := tr.SweepStaged(nil); err != nil {
			t.Error(err)
		}
		if tr.Resume([]byte("f")) != nil || tr.UnfinishedSize([]byte("f")) != 0 {
			t.Errorf("%s was taken for an unfinished file", what)
		}
		if err := stage(t, tr, "f", []byte(what)).Commit(true); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if b, err := os.ReadFile(root + "/f"); string(b) != what {
			t.Errorf("%s: the file is %q, %v", what, b, err)
		}
		if err := os.Remove(at); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(root + "/victim"); string(b) != "content of victim" {
		t.Errorf("the victim is %q, %v", b, err)
	}
}

func TestOnlyOurOwnNamesAreTemporary(t *testing.T) {
	part := partName("f")
	for name, want := range map[string][2]bool{
		part: {false, true}, tempName(): {true, false}, partPrefix: {}, part + "0": {}, strings.ToUpper(part): {},
		partPrefix + strings.Repeat("x", 64): {}, tempPrefix + "unfinished": {},
	} {
		if got := [2]bool{isTempName(name), isPartName(name)}; got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if partName("a") == partName("b") {
		t.Error("two files share a name")
	}
}

func TestZeroReadsWhatIsThere(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(append(make([]byte, 200_000), 7), 1<<20); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		off, n int64
		want   bool
	}{{0, 1 << 20, true}, {0, 1<<20 + 200_000, true}, {0, 1<<20 + 200_001, false}, {1<<20 + 200_000, 1, false}, {1<<20 + 200_001, 1 << 40, true}, {0, 1 << 40, false}} {
		if got, err := Zero(f, c.off, c.n); got != c.want || err != nil {
			t.Errorf("%d bytes from %d: %v, %v", c.n, c.off, got, err)
		}
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0}, 100), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := Zero(f, 0, 100); !got || err != nil {
		t.Errorf("written zeros: %v, %v", got, err)
	}
}
