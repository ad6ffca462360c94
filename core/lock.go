package core

import (
	"encoding/hex"
	"errors"

	"hiddenbackup/core/node"
)

// ErrRunning: another run on this machine works on the same vault.
var ErrRunning = errors.New("another backup of the same vault is running on this machine")

// lockDir is where the locks of this machine are: one place, wherever a run
// has its gateway, if there is one at all.
func lockDir(c Config) (string, error) {
	dir, err := node.RuntimeDir("", false)
	if errors.Is(err, node.ErrNoMemoryDir) {
		return node.RuntimeDir(c.Directory, c.AllowDisk)
	}
	return dir, err
}

// lock keeps two runs on this machine apart. The kernel drops it when the
// process ends, however it ends.
func lock(c Config, a *Access) (unlock func(), err error) {
	dir, err := lockDir(c)
	if err != nil {
		return nil, err
	}
	id := a.keys.Identity("lock")
	unlock, err = node.Lock(dir, true, "vault-"+hex.EncodeToString(id[:6])+".lock")
	if errors.Is(err, node.ErrAlreadyRunning) {
		return nil, ErrRunning
	}
	return unlock, err
}
