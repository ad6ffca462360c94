package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDirOnDiskIsRefused(t *testing.T) {
	dir := filepath.Join(diskDir(t), "nodes")
	_, err := Dir(dir, false)
	var none *NoMemoryDirError
	if !errors.Is(err, ErrNoMemoryDir) || !errors.As(err, &none) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Dir returned %v", err)
	}
	if got, err := Dir(dir, true); err != nil || got != dir {
		t.Errorf("with the user's consent: %q, %v", got, err)
	}
}

func diskDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if MemoryBacked(dir) {
		t.Skip("the test directory is memory-backed here")
	}
	return dir
}

func TestDirOpenToOthersIsRefused(t *testing.T) {
	base := t.TempDir()
	ours := filepath.Join(base, "ours")
	open := filepath.Join(base, "open")
	link := filepath.Join(base, "link")
	file := filepath.Join(base, "file")
	foreign := filepath.Join(base, "foreign")
	for _, dir := range []string{ours, open, foreign} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(open, 0o750)
	os.Symlink(ours, link)
	os.WriteFile(file, nil, 0o600)
	refused := []string{open, link, file}
	if os.Getuid() == 0 {
		os.Chown(foreign, 65534, 65534)
		refused = append(refused, foreign)
	}
	for _, dir := range refused {
		if _, err := Dir(dir, true); !errors.Is(err, ErrUnsafeDir) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
	if _, err := Dir(ours, true); err != nil {
		t.Error(err)
	}
}

func TestDirOfTheSystem(t *testing.T) {
	const memory = "/dev/shm"
	if !MemoryBacked(memory) {
		t.Skip("no memory-backed directory here")
	}
	xdg, err := os.MkdirTemp(memory, "hb-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(xdg) })
	t.Setenv("XDG_RUNTIME_DIR", xdg)
	dir, err := Dir("", false)
	if err != nil || dir != filepath.Join(xdg, "hidden-backup") {
		t.Fatalf("Dir returned %q, %v", dir, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it has mode %v: %v", info.Mode(), err)
	}
	// Somebody's trap in our place is an error, not a reason to go elsewhere.
	os.Remove(dir)
	os.Symlink("/etc", dir)
	if _, err := Dir("", false); !errors.Is(err, ErrUnsafeDir) {
		t.Errorf("a trap in our place: %v", err)
	}
}

func TestSystemDirectoryOnDiskIsPassedOver(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", diskDir(t))
	first := Candidates()[0]
	if reason := against(filepath.Dir(first)); reason != "on a disk" {
		t.Errorf("against it speaks %q", reason)
	}
	if reason := against("/no/such/place"); reason != "not there" {
		t.Errorf("against nothing speaks %q", reason)
	}
}
