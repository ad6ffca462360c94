package core

import (
	"errors"

	"hiddenbackup/core/node"
)

// LockProgram keeps two windows of one person apart where the desktop does not;
// ErrRunning says that there is one. The kernel drops the lock when the process
// ends, however it ends.
func LockProgram(c Config) (unlock func(), err error) {
	dir, err := lockDir(c)
	if err != nil {
		return nil, err
	}
	unlock, err = node.Lock(dir, true, "window.lock")
	if errors.Is(err, node.ErrAlreadyRunning) {
		return nil, ErrRunning
	}
	return unlock, err
}
