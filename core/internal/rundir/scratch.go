package rundir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
			if s.Lock, err = TryLock(filepath.Join(s.Path, LockName)); err != nil {
				os.Remove(s.Path)
			}
		}
		if err != nil {
			return fmt.Errorf("making a directory for a run: %w", err)
		}
		return nil
	})
}

// Close removes the directory with all that is in it.
func (s *Scratch) Close() error {
	err := removeScratch(s.Path)
	Unlock(s.Lock)
	return err
}

// RemoveScratch is Close for a process that inherited the lock. It touches
// nothing that is no scratch directory with one of the prefixes.
func RemoveScratch(path string, prefixes ...string) error {
	for _, prefix := range prefixes {
		if isScratch(path, prefix) {
			return removeScratch(path)
		}
	}
	return nil
}

// SweepScratch removes what dead runs left in parent, as far as it can.
func SweepScratch(parent, prefix string) {
	paths, _ := filepath.Glob(filepath.Join(GlobEscape(parent), prefix+"*"))
	for _, path := range paths {
		if !isScratch(path, prefix) {
			continue
		}
		lock, err := TryLock(filepath.Join(path, LockName))
		if err != nil {
			continue // alive
		}
		removeScratch(path)
		Unlock(lock)
	}
}

// isScratch is strict: the parent may be full of a person's own things.
func isScratch(path, prefix string) bool {
	tail, ok := strings.CutPrefix(filepath.Base(path), prefix)
	if b, err := hex.DecodeString(tail); !ok || err != nil || len(b) != 4 {
		return false
	}
	var lock unix.Stat_t
	return CheckPrivate(path) == nil && unix.Lstat(filepath.Join(path, LockName), &lock) == nil && lock.Mode&unix.S_IFMT == unix.S_IFREG
}

// removeScratch leaves the lock for last: it marks the directory for the next
// sweep, should a gateway that is about to die keep writing.
func removeScratch(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != LockName {
			err = errors.Join(err, removeTree(filepath.Join(path, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	return RemoveAll(path)
}

// removeTree also removes folders that were restored closed.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return RemoveAll(path)
}

// RemoveAll deletes the directory. A process that was killed this moment may
// still be creating files there, so it is tried for a while.
func RemoveAll(path string) error {
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := os.RemoveAll(path)
		if err == nil || time.Now().After(end) {
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
