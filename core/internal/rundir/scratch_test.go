package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

const testPrefix = "scratch-"

// valuable makes a directory that looks like a scratch directory and is none.
func valuable(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "valuable")
	if err := os.MkdirAll(filepath.Join(dir, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{LockName, "letter", "deep/photo"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func untouched(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{LockName, "letter", "deep/photo"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); string(b) != "mine" {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
}

// exchange moves a scratch directory away and puts a link in its place, as
// whoever can write to the parent may do.
func exchange(t *testing.T, path, to string) (moved string) {
	t.Helper()
	moved = filepath.Join(filepath.Dir(path), "moved")
	if err := errors.Join(os.Rename(path, moved), os.Symlink(to, path)); err != nil {
		t.Fatal(err)
	}
	return moved
}

func TestLinkInPlaceOfAScratchDirectoryIsNotFollowed(t *testing.T) {
	parent, victim := t.TempDir(), valuable(t)
	s, err := NewScratch(parent, testPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Path, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	moved := exchange(t, s.Path, victim)
	if err := RemoveScratch(s.Path, testPrefix); err != nil {
		t.Error(err)
	}
	SweepScratch(parent, testPrefix)
	untouched(t, victim)
	if err := s.Close(); err == nil {
		t.Error("that another thing stands in its place was not said")
	}
	untouched(t, victim)
	if left, _ := os.ReadDir(moved); len(left) > 0 {
		t.Errorf("what was in it is left: %v", left)
	}
}

// The moment between the look and the removal: both hold the same descriptor.
func TestScratchDirectoryExchangedAfterTheLook(t *testing.T) {
	victim := valuable(t)
	s, err := NewScratch(t.TempDir(), testPrefix)
	if err != nil {
		t.Fatal(err)
	}
	Unlock(s.Lock) // as if it had died
	dir := openScratch(s.Path, testPrefix)
	if dir == nil {
		t.Fatal("it was not recognized")
	}
	defer dir.Close()
	moved := exchange(t, s.Path, victim)
	lock, err := lockIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer Unlock(lock)
	if err := removeScratch(dir); err == nil {
		t.Error("that another thing stands in its place was not said")
	}
	untouched(t, victim)
	if left, _ := os.ReadDir(moved); len(left) > 0 {
		t.Errorf("what was in it is left: %v", left)
	}
}

func TestFullDirectoryInPlaceOfANewScratchIsRefused(t *testing.T) {
	victim := valuable(t)
	s := &Scratch{Path: victim}
	if err := s.open(); !errors.Is(err, ErrUnsafeDir) {
		t.Errorf("opened: %v", err)
	}
	untouched(t, victim)
}

func TestScratchIsRemovedWithClosedFoldersAndWithoutFollowingLinks(t *testing.T) {
	victim := valuable(t)
	s, err := NewScratch(t.TempDir(), testPrefix)
	if err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(s.Path, "files", "closed")
	if err := errors.Join(os.MkdirAll(filepath.Join(closed, "below"), 0o700), os.WriteFile(filepath.Join(closed, "below", "f"), nil, 0o400),
		os.Symlink(victim, filepath.Join(closed, "link")), os.Symlink(victim, filepath.Join(s.Path, "link")),
		os.Chmod(filepath.Join(closed, "below"), 0), os.Chmod(closed, 0o500)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(s.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	untouched(t, victim)
}

func TestScratchRemovedByItsHeirIsClosedWithoutAnError(t *testing.T) {
	s, err := NewScratch(t.TempDir(), testPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := RemoveScratch(s.Path, "other-", testPrefix); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(s.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
