package localfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// PutSymlink makes the symbolic link e describes at path. It appears complete
// or not at all; replace is as in Staged.Commit. A *MetaError is a warning: the
// link is there.
func (t *Tree) PutSymlink(path []byte, e *snapshot.Entry, replace bool, opt MetaOptions) error {
	return t.put(path, e, replace, opt, func(dirfd int, temp string) error {
		return unix.Symlinkat(string(e.Target), dirfd, temp)
	})
}

// PutSpecial makes the named pipe or device node e describes at path, as
// PutSymlink does. Only root may make device nodes.
func (t *Tree) PutSpecial(path []byte, e *snapshot.Entry, replace bool, opt MetaOptions) error {
	var kind uint32
	switch e.Type {
	case snapshot.TypeFIFO:
		kind = unix.S_IFIFO
	case snapshot.TypeCharDevice:
		kind = unix.S_IFCHR
	case snapshot.TypeBlockDevice:
		kind = unix.S_IFBLK
	default:
		return fmt.Errorf("creating %q: %w: a %v is no special file", path, snapshot.ErrFormat, e.Type)
	}
	return t.put(path, e, replace, opt, func(dirfd int, temp string) error {
		return unix.Mknodat(dirfd, temp, kind|0o600, int(e.Device))
	})
}

// PutHardlink makes path another name of target, which must be committed and
// not a directory. errors.Is(err, syscall.EXDEV) says that the two are on
// different file systems. replace is as in Staged.Commit.
func (t *Tree) PutHardlink(path, target []byte, replace bool) error {
	from, old, err := t.parent(target)
	if err != nil {
		return err
	}
	defer from.release()
	return t.put(path, nil, replace, MetaOptions{}, func(dirfd int, temp string) error {
		return unix.Linkat(from.fd, old, dirfd, temp, 0)
	})
}

// put makes something under a temporary name, gives it the metadata of e if
// there is one, and then its final name.
func (t *Tree) put(path []byte, e *snapshot.Entry, replace bool, opt MetaOptions, create func(dirfd int, temp string) error) error {
	dir, name, err := t.parent(path)
	if err != nil {
		return err
	}
	defer dir.release()
	temp := tempName()
	if err := create(dir.fd, temp); err != nil {
		return fmt.Errorf("creating %q: %w", path, err)
	}
	// Also when all went well: rename(2) leaves both names alone if they are
	// links to the same file already.
	defer unix.Unlinkat(dir.fd, temp, 0)

	var warning *MetaError
	if e != nil {
		err := t.setMeta(dir, temp, path, e, opt)
		if err != nil && !errors.As(err, &warning) {
			return err
		}
	}
	if err := rename(dir.fd, temp, name, replace); err != nil {
		return fmt.Errorf("giving %q its name: %w", path, err)
	}
	if warning != nil {
		return warning
	}
	return nil
}

// Remove removes one name that is not a directory. One that is gone already is
// no error.
func (t *Tree) Remove(path []byte) error {
	dir, name, err := t.parent(path)
	if err != nil {
		return err
	}
	defer dir.release()
	if err := unix.Unlinkat(dir.fd, name, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("removing %q: %w", path, err)
	}
	return nil
}
