package localfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

var plainFile = &snapshot.Entry{Type: snapshot.TypeFile, Mode: 0o644}

func leftovers(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestNothingStandsUnderItsNameBeforeCommit(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	s := stage(t, tr, "f", []byte("hello"))
	if _, err := os.Lstat(root + "/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before Commit: %v", err)
	}
	if err := s.Finish(plainFile, MetaOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tr.Sync(), s.Commit(false), tr.Sync()); err != nil {
		t.Fatal(err)
	}
	f, err := tr.OpenRead([]byte("f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); string(b) != "hello" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if err := stage(t, tr, "g", nil).Discard(); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, root); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

func TestExistingFilesAreReplacedOnlyWhenAsked(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	files(t, root, "file", "linked", "folder/x")
	if err := os.Symlink("folder", root+"/symlink"); err != nil {
		t.Fatal(err)
	}
	link := &snapshot.Entry{Type: snapshot.TypeSymlink, Target: []byte("new")}
	pipe := &snapshot.Entry{Type: snapshot.TypeFIFO, Mode: 0o600}
	ways := map[string]func(path string, replace bool) error{
		"file": func(path string, replace bool) error {
			s := stage(t, tr, path, []byte("new"))
			err := s.Commit(replace)
			if err != nil {
				err = errors.Join(err, s.Discard())
			}
			return err
		},
		"symlink": func(path string, replace bool) error {
			return tr.PutSymlink([]byte(path), link, replace, MetaOptions{})
		},
		"pipe": func(path string, replace bool) error {
			return tr.PutSpecial([]byte(path), pipe, replace, MetaOptions{})
		},
		"hardlink": func(path string, replace bool) error { return tr.PutHardlink([]byte(path), []byte("linked"), replace) },
	}
	for way, put := range ways {
		for _, path := range []string{"file", "symlink", "folder", "linked"} {
			if err := put(path, false); !errors.Is(err, ErrExists) {
				t.Errorf("%s over %s: %v", way, path, err)
			}
		}
		if err := put("folder", true); !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s for the folder: %v", way, err)
		}
		for _, path := range []string{"file", "symlink", "new " + way} {
			if err := put(path, true); err != nil {
				t.Errorf("%s instead of %s: %v", way, path, err)
			}
		}
	}
	// The same file under both names already: nothing to do, nothing left over.
	if err := tr.PutHardlink([]byte("new hardlink"), []byte("linked"), true); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, root); left != nil {
		t.Errorf("left behind: %q", left)
	}
	if b, err := os.ReadFile(root + "/folder/x"); err != nil || string(b) != "content of folder/x" {
		t.Errorf("what was in the folder: %q, %v", b, err)
	}
}

func TestNoReplaceWithoutHelpOfTheFileSystem(t *testing.T) {
	root := t.TempDir()
	files(t, root, "temp", "taken")
	fd, err := unix.Open(root, unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := renameByLink(fd, "temp", "taken"); err != unix.EEXIST {
		t.Errorf("over a file: %v", err)
	}
	if err := renameByLink(fd, "temp", "free"); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(root + "/free"); string(b) != "content of temp" {
		t.Errorf("the file is %q", b)
	}
	if _, err := os.Lstat(root + "/temp"); err == nil {
		t.Error("the temporary name is still there")
	}
}

func TestMkdirNeedsFoldersAllTheWay(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	files(t, root, "file", "real/")
	if err := os.Symlink("real", root+"/link"); err != nil {
		t.Fatal(err)
	}
	if created, err := tr.MkdirAll([]byte("a/b/c"), 0o700); !created || err != nil {
		t.Errorf("new: %v, %v", created, err)
	}
	if created, err := tr.MkdirAll([]byte("a/b/c"), 0o700); created || err != nil {
		t.Errorf("again: %v, %v", created, err)
	}
	if created, err := tr.Mkdir(nil, 0o700); created || err != nil {
		t.Errorf("the root: %v, %v", created, err)
	}
	for _, path := range []string{"file", "file/x", "file/x/y", "link", "link/x"} {
		if _, err := tr.MkdirAll([]byte(path), 0o700); !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := tr.Mkdir([]byte("missing/x"), 0o700); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its parent: %v", err)
	}
	for _, path := range []string{"", "..", "a/../..", "/etc", "a//b", "a\x00", "./a"} {
		if _, err := tr.Stage([]byte(path)); !errors.Is(err, snapshot.ErrFormat) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestSwappedFolderLeadsNowhere is the attack on a restore: someone who may
// write to the target replaces a folder by a link to elsewhere.
func TestSwappedFolderLeadsNowhere(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	tr := tree(t, root)
	files(t, outside, "victim", "deep/")
	if _, err := tr.MkdirAll([]byte("a/deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	finished, unfinished := stage(t, tr, "a/finished", []byte("x")), stage(t, tr, "a/deep/unfinished", []byte("x"))
	if err := finished.Finish(plainFile, MetaOptions{}); err != nil {
		t.Fatal(err)
	}
	before := tell(walk(t, outside, WalkOptions{}))
	if err := errors.Join(os.Rename(root+"/a", root+"/moved"), os.Symlink(outside, root+"/a")); err != nil {
		t.Fatal(err)
	}
	dir := &snapshot.Entry{Type: snapshot.TypeDir, Mode: 0o777}
	link := &snapshot.Entry{Type: snapshot.TypeSymlink, Target: []byte("x")}
	pipe := &snapshot.Entry{Type: snapshot.TypeFIFO}
	at := func(s string) []byte { return []byte(s) }
	attempts := map[string]error{
		"Commit":             finished.Commit(true),
		"Discard":            finished.Discard(),
		"Finish":             unfinished.Finish(plainFile, MetaOptions{}),
		"PutSymlink":         tr.PutSymlink(at("a/new"), link, true, MetaOptions{}),
		"PutSpecial":         tr.PutSpecial(at("a/new"), pipe, true, MetaOptions{}),
		"PutHardlink":        tr.PutHardlink(at("stolen"), at("a/victim"), true),
		"SetMeta":            tr.SetMeta(at("a"), dir, MetaOptions{}),
		"SetMeta further in": tr.SetMeta(at("a/deep"), dir, MetaOptions{}),
	}
	_, attempts["Mkdir"] = tr.Mkdir(at("a/new"), 0o700)
	_, attempts["Mkdir itself"] = tr.Mkdir(at("a"), 0o700)
	_, attempts["Stage"] = tr.Stage(at("a/new"))
	_, attempts["Stage further in"] = tr.Stage(at("a/deep/new"))
	_, attempts["OpenRead"] = tr.OpenRead(at("a/victim"))
	_, attempts["Lstat"] = tr.Lstat(at("a/victim"), true)
	_, attempts["SweepStaged"] = tr.SweepStaged(at("a"))
	for what, err := range attempts {
		if !errors.Is(err, ErrInTheWay) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := tell(walk(t, outside, WalkOptions{})); after != before {
		t.Errorf("outside is now\n%s", after)
	}
	if fi, err := os.Stat(outside); err != nil || fi.Mode().Perm() == 0o777 {
		t.Errorf("the folder outside is now %v, %v", fi.Mode(), err)
	}
}

func TestFoldersReplacedMeanwhileAreFoundAgain(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	for range 3 {
		if _, err := tr.MkdirAll([]byte("a/b/c"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := stage(t, tr, "a/b/c/f", nil).Commit(true); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(root + "/a/b/c/f"); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(root + "/a/b"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwappedTemporaryFileIsNotTouched(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	files(t, root, "victim")
	for _, swap := range []func(old, new string) error{os.Link, os.Symlink} {
		s := stage(t, tr, "f", []byte("x"))
		tr.files.clear() // as if many others had been written meanwhile
		temp := filepath.Join(root, s.temp)
		if err := errors.Join(os.Remove(temp), swap(root+"/victim", temp)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.WriteAt([]byte("overwritten"), 0); err == nil {
			t.Error("wrote to a file that is not ours")
		}
		if err := s.Finish(plainFile, MetaOptions{}); err == nil {
			t.Error("changed a file that is not ours")
		}
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(root + "/victim"); string(b) != "content of victim" {
		t.Errorf("the victim: %q, %v", b, err)
	}
}

func TestManyFilesStagedAtOnceFromManySides(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	before := openFiles(t)
	const n, chunk = 500, 1000
	all := make([]*Staged, n)
	for i := range all {
		dir := fmt.Sprintf("dir %d/sub", i%200)
		if _, err := tr.MkdirAll([]byte(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		all[i] = stage(t, tr, fmt.Sprintf("%s/%d", dir, i), nil)
	}
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, i := range rand.Perm(n) {
				if _, err := all[i].WriteAt(bytes.Repeat([]byte{byte(i)}, chunk), int64(part*chunk)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if now := openFiles(t); now > before+maxCachedDirs+maxCachedFiles+4 {
		t.Errorf("%d descriptors are open, %d before", now, before)
	}
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := errors.Join(all[i].Finish(plainFile, MetaOptions{}), all[i].Commit(false)); err != nil {
				t.Error(err)
			}
			b, err := os.ReadFile(fmt.Sprintf("%s/dir %d/sub/%d", root, i%200, i))
			if err != nil || !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 4*chunk)) {
				t.Errorf("file %d: %d bytes, %v", i, len(b), err)
			}
		}()
	}
	wg.Wait()
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if after := openFiles(t); after >= before {
		t.Errorf("%d descriptors after Close, %d before the work", after, before)
	}
	if _, err := tr.Stage([]byte("x")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestLeftoversOfAKilledRunAreSwept(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	files(t, root, "a/"+tempPrefix+"notes", "a/"+tempPrefix+"0123456789ABCDEF", "a/"+tempPrefix+"0123456789abcdeff", "a/x",
		"a/"+tempName(), "a/"+tempName(), tempName())
	if err := os.Mkdir(root+"/a/"+tempPrefix+"0000000000000000", 0o700); err != nil {
		t.Fatal(err)
	}
	if n, err := tr.SweepStaged([]byte("a")); n != 2 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if n, err := tr.SweepStaged(nil); n != 1 || err != nil {
		t.Errorf("swept %d in the root, %v", n, err)
	}
	if left := leftovers(t, root+"/a"); len(left) != 4 {
		t.Errorf("left: %q", left)
	}
}

func TestFullDiskIsRecognised(t *testing.T) {
	if !withMounts(t) {
		return
	}
	root := t.TempDir()
	mountTmpfs(t, root, "size=1m")
	mountTmpfs(t, root+"/second", "size=1m")
	tr := tree(t, root)
	s := stage(t, tr, "f", nil)
	if _, err := s.WriteAt(make([]byte, 2<<20), 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk is %v", err)
	}
	other := stage(t, tr, "second/f", []byte("x"))
	if len(tr.mounts) != 2 {
		t.Errorf("%d file systems would be synced", len(tr.mounts))
	}
	if err := errors.Join(tr.Sync(), other.Commit(false), s.Discard()); err != nil {
		t.Error(err)
	}
	if err := tr.PutHardlink([]byte("g"), []byte("second/f"), false); !errors.Is(err, syscall.EXDEV) {
		t.Errorf("a link to another file system is %v", err)
	}
}

func TestOpenTree(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, "file", "real/")
	if err := os.Symlink("real", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTree(dir+"/new/er", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := OpenTree(dir+"/file", true); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
	tree(t, dir+"/new/er")
	if err := stage(t, tree(t, dir+"/link"), "x", nil).Commit(false); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir + "/real/x"); err != nil {
		t.Error(err)
	}
}
