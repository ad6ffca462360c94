package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/rundir"
)

// Beside a state, while it is moved.
const (
	nextSuffix = ".new" // the copy, until it is whole
	oldSuffix  = ".old" // the original, once the copy is in its place
)

// move takes the whole state elsewhere. At every moment one of the two is whole
// and is the one that dir finds; no other command changes it meanwhile.
func (h *Host) move(from, to string) error {
	return rundir.WithSweepLock(from, func() error {
		if err := unix.Rmdir(to); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one is none
			return fmt.Errorf("%w: %s", ErrOccupied, to)
		}
		next, old := to+nextSuffix, from+oldSuffix
		for _, left := range []string{next, old, from + nextSuffix, to + oldSuffix} { // of a move that was killed
			if err := rundir.RemoveAll(left); err != nil {
				return fmt.Errorf("moving the host's state: %w", err)
			}
		}
		if err := h.copyState(from, next); err != nil {
			return errors.Join(fmt.Errorf("moving the host's state: %w", err), rundir.RemoveAll(next))
		}
		if err := os.Rename(next, to); err != nil {
			return errors.Join(fmt.Errorf("moving the host's state: %w", err), rundir.RemoveAll(next))
		}
		if err := os.Rename(from, old); err != nil { // at once; removing takes a while
			return errors.Join(fmt.Errorf("moving the host's state: %w", err), rundir.RemoveAll(to))
		}
		if err := rundir.RemoveAll(old); err != nil {
			return fmt.Errorf("the host's state was moved, but not all of the old one is removed: %w", err)
		}
		return nil
	})
}

// copyState makes a copy that survives a power cut.
func (h *Host) copyState(from, to string) error {
	if err := h.make(to); err != nil {
		return err
	}
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		switch {
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		case entry.Type().IsRegular():
			return copyFile(path, filepath.Join(to, rel))
		}
		return nil // a socket that a killed process left
	})
	if err != nil {
		return err
	}
	dir, err := os.Open(to)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
