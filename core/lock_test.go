package core

import (
	"errors"
	"os"
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
	c := Config{Directory: nodetest.Dir(t), AllowDisk: true}
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
	unlock()
	if left, _ := os.ReadDir(c.Directory); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if unlock, err = lock(c, &Access{keys: keys}); err != nil {
		t.Fatal(err)
	}
	unlock()
}
