package rundir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// WithSweepLock runs do while no other process makes or sweeps directories in
// parent. It locks the directory itself, so that no lock file stays behind.
func WithSweepLock(parent string, do func() error) error {
	f, err := os.Open(parent)
	if err != nil {
		return fmt.Errorf("locking the directory for runs: %w", err)
	}
	defer Unlock(f)
	if err := flock(f, unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", parent, err)
	}
	return do()
}

// ErrLocked means that somebody alive holds the lock.
var ErrLocked = errors.New("locked by a running process")

// TryLock locks a file, which it creates if needed. The holder may delete it.
func TryLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, path) {
			return f, nil
		}
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		if err != nil {
			return nil, err
		}
	}
}

// Unlock does more than close: a child that is being forked this very moment
// has a copy of the descriptor, which would hold the lock until it starts.
func Unlock(f *os.File) {
	flock(f, unix.LOCK_UN)
	f.Close()
}

// sameFile reports whether path still is f: the last holder may have deleted it.
func sameFile(f *os.File, path string) bool {
	opened, err1 := f.Stat()
	named, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
