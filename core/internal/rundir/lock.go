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
func TryLock(path string) (*os.File, error) { return tryLockAt(unix.AT_FDCWD, path, path) }

// tryLockAt is TryLock for a name in an open directory; path is for messages.
func tryLockAt(dir int, name, path string) (*os.File, error) {
	for {
		fd, err := openat(dir, name, unix.O_CREAT|unix.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		f := os.NewFile(uintptr(fd), path)
		err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, dir, name) {
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

func openat(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// Unlock does more than close: a child that is being forked this very moment
// has a copy of the descriptor, which would hold the lock until it starts.
func Unlock(f *os.File) {
	flock(f, unix.LOCK_UN)
	f.Close()
}

// sameFile reports whether name still is f: the last holder may have deleted it.
func sameFile(f *os.File, dir int, name string) bool {
	var opened, named unix.Stat_t
	return unix.Fstat(int(f.Fd()), &opened) == nil && unix.Fstatat(dir, name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		opened.Dev == named.Dev && opened.Ino == named.Ino
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
