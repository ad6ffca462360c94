package core

import (
	"errors"
	"path/filepath"
	"testing"

	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/snapshot"
)

func TestSecondRunOnOneMachineIsRefused(t *testing.T) {
	keys, err := snapshot.NewKeys([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := snapshot.NewKeys([32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{}
	unlock, err := lock(c, &Access{keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(c, &Access{keys: keys}); !errors.Is(err, ErrRunning) {
		t.Errorf("a second run: %v", err)
	}
	unlockOther, err := lock(c, &Access{keys: other})
	if err != nil {
		t.Errorf("another vault: %v", err)
	}
	unlockOther()
	elsewhere := Config{Directory: nodetest.Dir(t), AllowDisk: true}
	if _, err := lock(elsewhere, &Access{keys: keys}); !errors.Is(err, ErrRunning) {
		t.Errorf("a second run with its gateway elsewhere: %v", err)
	}
	unlock()
	dir, err := lockDir(c)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "vault-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if unlock, err = lock(c, &Access{keys: keys}); err != nil {
		t.Fatal(err)
	}
	unlock()
}
