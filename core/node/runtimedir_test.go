package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRuntimeDirOnDiskIsRefused(t *testing.T) {
	dir := filepath.Join(diskDir(t), "nodes")
	_, err := RuntimeDir(dir, false)
	var none *NoMemoryDirError
	if !errors.Is(err, ErrNoMemoryDir) || !errors.As(err, &none) || !strings.Contains(err.Error(), dir) {
		t.Errorf("RuntimeDir returned %v", err)
	}
	if got, err := RuntimeDir(dir, true); err != nil || got != dir {
		t.Errorf("with the user's consent: %q, %v", got, err)
	}
}

func diskDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if memoryBacked(dir) {
		t.Skip("the test directory is memory-backed here")
	}
	return dir
}

func TestRuntimeDirOpenToOthersIsRefused(t *testing.T) {
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
		if _, err := RuntimeDir(dir, true); !errors.Is(err, ErrUnsafeDir) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
	if _, err := RuntimeDir(ours, true); err != nil {
		t.Error(err)
	}
}

func TestRuntimeDirOfTheSystem(t *testing.T) {
	const memory = "/dev/shm"
	if !memoryBacked(memory) {
		t.Skip("no memory-backed directory here")
	}
	xdg, err := os.MkdirTemp(memory, "hb-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(xdg) })
	t.Setenv("XDG_RUNTIME_DIR", xdg)
	dir, err := RuntimeDir("", false)
	if err != nil || dir != filepath.Join(xdg, "hidden-backup") {
		t.Fatalf("RuntimeDir returned %q, %v", dir, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it has mode %v: %v", info.Mode(), err)
	}
	// Somebody's trap in our place is an error, not a reason to go elsewhere.
	os.Remove(dir)
	os.Symlink("/etc", dir)
	if _, err := RuntimeDir("", false); !errors.Is(err, ErrUnsafeDir) {
		t.Errorf("a trap in our place: %v", err)
	}
}

func TestSystemDirectoryOnDiskIsPassedOver(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", diskDir(t))
	first := runtimeCandidates()[0]
	if reason := against(filepath.Dir(first)); reason != "on a disk" {
		t.Errorf("against it speaks %q", reason)
	}
	if reason := against("/no/such/place"); reason != "not there" {
		t.Errorf("against nothing speaks %q", reason)
	}
}

func TestSocketPathThatIsTooLong(t *testing.T) {
	fits := "/" + strings.Repeat("x", maxSocketPath-len("//gateway-0123abcd/"+socketName))
	if d, err := newNodeDir(fits); err != nil || len(d.socket()) != maxSocketPath {
		t.Errorf("a path that fits: %v", err)
	}
	if _, err := newNodeDir(fits + "x"); !errors.Is(err, ErrSocketPath) || !strings.Contains(err.Error(), "107") {
		t.Errorf("a path that is too long: %v", err)
	}
}

func TestSweepSparesStrangersFiles(t *testing.T) {
	dir := t.TempDir()
	dead, live := filepath.Join(dir, "gateway-dead"), filepath.Join(dir, "gateway-live")
	other, file := filepath.Join(dir, "vault"), filepath.Join(dir, "gateway-file")
	for _, d := range []string{dead, live, other} {
		os.Mkdir(d, 0o700)
	}
	os.WriteFile(file, nil, 0o600)
	lock, err := tryLock(filepath.Join(live, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := sweep(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Error("what the dead left is still there")
	}
	for _, path := range []string{live, other, file} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestNothingIsWrittenForABadConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nodes")
	cfg := torSample(Tor)
	cfg.Dir, cfg.AllowDisk, cfg.TorSocks = dir, true, ""
	if _, err := StartGateway(context.Background(), cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("StartGateway returned %v", err)
	}
	if _, err := SpawnKeeper(context.Background(), []string{"/bin/false"}, "not hex", sample()); !errors.Is(err, ErrConfig) {
		t.Errorf("SpawnKeeper returned %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("a directory was made")
	}
}
