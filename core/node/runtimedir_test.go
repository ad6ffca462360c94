package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hiddenbackup/core/internal/rundir"
)

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
	lock, err := rundir.TryLock(filepath.Join(live, lockName))
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
	if _, err := SpawnKeeper(context.Background(), []string{"/bin/false"}, "not hex", sample(), nil); !errors.Is(err, ErrConfig) {
		t.Errorf("SpawnKeeper returned %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("a directory was made")
	}
}
