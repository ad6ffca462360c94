package core

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/node"
)

// ErrRunning: another run on this machine works on the same vault.
var ErrRunning = errors.New("another backup of the same vault is running on this machine")

// lock keeps two runs on this machine apart. The kernel drops it when the
// process ends, however it ends.
func lock(c Config, a *Access) (unlock func(), err error) {
	dir, err := node.RuntimeDir(c.Directory, c.AllowDisk)
	if err != nil {
		return nil, err
	}
	id := a.keys.Identity("lock")
	name := filepath.Join(dir, "vault-"+hex.EncodeToString(id[:6])+".lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the vault: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("locking the vault: %w", err)
	}
	return func() {
		os.Remove(name)
		f.Close()
	}, nil
}
