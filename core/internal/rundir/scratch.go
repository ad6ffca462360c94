package rundir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// LockName is the file whose lock says that a directory is in use.
const LockName = "owner.lock"

// Scratch is a directory that lives as long as a run. It is locked by whoever
// made it and by whoever inherits Lock; once all of them are dead the next
// NewScratch in the same parent removes it.
type Scratch struct {
	Path string
	Lock *os.File
	dir  *os.File // Path, whatever others put there meanwhile
}

// NewScratch makes a scratch directory in parent, for us alone, and first
// removes what dead runs left there under that prefix. The caller closes it.
func NewScratch(parent, prefix string) (*Scratch, error) {
	s := &Scratch{}
	return s, WithSweepLock(parent, func() error {
		SweepScratch(parent, prefix)
		var random [4]byte
		rand.Read(random[:])
		s.Path = filepath.Join(parent, prefix+hex.EncodeToString(random[:]))
		err := os.Mkdir(s.Path, 0o700)
		if err == nil {
			if err = s.open(); err != nil {
				os.Remove(s.Path)
			}
		}
		if err != nil {
			return fmt.Errorf("making a directory for a run: %w", err)
		}
		return nil
	})
}

// open opens and locks the directory that was just made. One with something in
// it is another, which somebody put in its place.
func (s *Scratch) open() (err error) {
	if s.dir, err = openDir(unix.AT_FDCWD, s.Path, s.Path); err != nil {
		return err
	}
	names, err := s.dir.Readdirnames(-1)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%w: %s was exchanged", ErrUnsafeDir, s.Path)
	}
	if err == nil {
		s.Lock, err = lockIn(s.dir)
	}
	if err != nil {
		s.dir.Close()
	}
	return err
}

// Close removes the directory with all that is in it.
func (s *Scratch) Close() error {
	defer s.dir.Close()
	err := removeScratch(s.dir)
	Unlock(s.Lock)
	return err
}

// RemoveScratch is Close for a process that inherited the lock. It touches
// nothing that is no scratch directory with one of the prefixes.
func RemoveScratch(path string, prefixes ...string) error {
	for _, prefix := range prefixes {
		if dir := openScratch(path, prefix); dir != nil {
			defer dir.Close()
			return removeScratch(dir)
		}
	}
	return nil
}

// SweepScratch removes what dead runs left in parent, as far as it can.
func SweepScratch(parent, prefix string) {
	paths, _ := filepath.Glob(filepath.Join(GlobEscape(parent), prefix+"*"))
	for _, path := range paths {
		dir := openScratch(path, prefix)
		if dir == nil {
			continue
		}
		if lock, err := lockIn(dir); err == nil { // otherwise it is alive
			removeScratch(dir)
			Unlock(lock)
		}
		dir.Close()
	}
}

// openScratch opens a scratch directory, and nothing else: the parent may be
// full of a person's own things, and others may be able to exchange them.
func openScratch(path, prefix string) *os.File {
	tail, ok := strings.CutPrefix(filepath.Base(path), prefix)
	if b, err := hex.DecodeString(tail); !ok || err != nil || len(b) != 4 {
		return nil
	}
	dir, err := openDir(unix.AT_FDCWD, path, path)
	if err != nil {
		return nil
	}
	var st, lock unix.Stat_t
	if unix.Fstat(int(dir.Fd()), &st) != nil || checkPrivate(&st, path) != nil ||
		unix.Fstatat(int(dir.Fd()), LockName, &lock, unix.AT_SYMLINK_NOFOLLOW) != nil || lock.Mode&unix.S_IFMT != unix.S_IFREG {
		dir.Close()
		return nil
	}
	return dir
}

// openDir opens a directory and not what a link points to; path is for messages.
func openDir(parent int, name, path string) (*os.File, error) {
	fd, err := openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func lockIn(dir *os.File) (*os.File, error) {
	return tryLockAt(int(dir.Fd()), LockName, filepath.Join(dir.Name(), LockName))
}

// removeScratch leaves the lock for last: it marks the directory for the next
// sweep, should a gateway that is about to die keep writing.
func removeScratch(dir *os.File) error {
	return forAWhile(func() error {
		if err := empty(dir, LockName); err != nil {
			return err
		}
		if err := unlinkat(dir, LockName, 0); err != nil {
			return err
		}
		if err := unix.Rmdir(dir.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &os.PathError{Op: "rmdir", Path: dir.Name(), Err: err}
		}
		return nil
	})
}

// empty removes all but one name from a directory. Whoever moves things about
// meanwhile, it stays below the directory that is open.
func empty(dir *os.File, except string) error {
	// A descriptor of its own, which reads from the start.
	list, err := openDir(int(dir.Fd()), ".", dir.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed already
	}
	if err != nil {
		return err
	}
	names, err := list.Readdirnames(-1)
	list.Close()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if name != except {
			err = errors.Join(err, removeAt(dir, name))
		}
	}
	return err
}

func removeAt(parent *os.File, name string) error {
	err := unlinkat(parent, name, 0)
	if !errors.Is(err, unix.EISDIR) {
		return err
	}
	path := filepath.Join(parent.Name(), name)
	// Folders may have been restored closed. Opened like this one can be changed
	// whatever its mode, and no link is followed.
	fd, err := openat(int(parent.Fd()), name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	os.Chmod("/proc/self/fd/"+strconv.Itoa(fd), 0o700)
	dir, err := openDir(fd, ".", path)
	unix.Close(fd)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := empty(dir, ""); err != nil {
		return err
	}
	return unlinkat(parent, name, unix.AT_REMOVEDIR)
}

// unlinkat removes a name that may be gone already.
func unlinkat(dir *os.File, name string, flags int) error {
	for {
		err := unix.Unlinkat(int(dir.Fd()), name, flags)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		}
		return &os.PathError{Op: "unlinkat", Path: filepath.Join(dir.Name(), name), Err: err}
	}
}

// RemoveAll deletes the directory.
func RemoveAll(path string) error {
	return forAWhile(func() error { return os.RemoveAll(path) })
}

// forAWhile repeats what fails: a process that was killed this moment may still
// be creating files there. What is no directory will not become one.
func forAWhile(remove func() error) error {
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := remove()
		if err == nil || errors.Is(err, unix.ENOTDIR) || time.Now().After(end) {
			return err
		}
	}
}

// GlobEscape is the path as a pattern that matches nothing else.
func GlobEscape(path string) string {
	var escaped []byte
	for _, c := range []byte(path) {
		switch c {
		case '*', '?', '[', '\\':
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	return string(escaped)
}
