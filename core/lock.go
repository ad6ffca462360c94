package core

import (
	"encoding/hex"
	"errors"

	"hiddenbackup/core/node"
)

// ErrRunning: another run on this machine works on the same vault.
var ErrRunning = errors.New("another backup of the same vault is running on this machine")

// lock keeps two runs on this machine apart. The kernel drops it when the
// process ends, however it ends.
func lock(c Config, a *Access) (unlock func(), err error) {
	id := a.keys.Identity("lock")
	unlock, err = node.Lock(c.Directory, c.AllowDisk, "vault-"+hex.EncodeToString(id[:6])+".lock")
	if errors.Is(err, node.ErrAlreadyRunning) {
		return nil, ErrRunning
	}
	return unlock, err
}
