package localfs

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mkdir makes one directory and reports whether it is new. A directory that is
// there already will do; if it is ours and closed to ourselves it is opened up,
// and SetMeta gives it its mode at the end. Anything else there, a symbolic
// link too, is ErrInTheWay. mode is subject to the umask.
func (t *Tree) Mkdir(path []byte, mode uint32) (created bool, err error) {
	if len(path) == 0 {
		return false, nil
	}
	dir, name, err := t.parent(path)
	if err != nil {
		return false, err
	}
	defer dir.release()
	err = unix.Mkdirat(dir.fd, name, mode)
	if err == nil {
		return true, nil
	}
	if err == unix.EEXIST {
		err = enterable(dir, name)
	}
	if err != nil {
		return false, fmt.Errorf("creating the folder %q: %w", path, err)
	}
	return false, nil
}

// MkdirAll makes path and the directories it is in, as Mkdir does; created
// tells of the last.
func (t *Tree) MkdirAll(path []byte, mode uint32) (created bool, err error) {
	for i, b := range path {
		if b == '/' {
			if _, err := t.Mkdir(path[:i], mode); err != nil {
				return false, err
			}
		}
	}
	return t.Mkdir(path, mode)
}

// enterable makes sure that name is a directory we can write to, as far as
// that is a matter of its owner's bits.
func enterable(dir *handle, name string) error {
	var st unix.Stat_t
	if err := fstatat(dir.fd, name, &st); err != nil {
		return err
	}
	if !isDir(&st) {
		return ErrInTheWay
	}
	if st.Mode&0o700 == 0o700 || os.Geteuid() == 0 || int(st.Uid) != os.Geteuid() {
		return nil
	}
	o, err := openObject(dir, name)
	if err != nil {
		return err
	}
	defer o.close()
	if !isDir(&o.st) {
		return ErrInTheWay
	}
	return o.chmod(o.st.Mode&0o7777 | 0o700)
}

// SweepStaged removes from one directory the temporary files that a killed run
// left there and returns how many. No other run may be staging in it. An empty
// path is the root.
func (t *Tree) SweepStaged(path []byte) (removed int, err error) {
	// A trailing element that CheckPath accepts makes parent do all checks.
	dir, _, err := t.parent(append(bytes.TrimPrefix(append(bytes.Clone(path), '/'), []byte{'/'}), 'x'))
	if err != nil {
		return 0, err
	}
	defer dir.release()
	fd, err := openat(dir.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return 0, fmt.Errorf("reading the folder %q: %w", path, err)
	}
	defer unix.Close(fd)
	names, err := readNames(fd, make([]byte, 32<<10))
	if err != nil {
		return 0, fmt.Errorf("reading the folder %q: %w", path, err)
	}
	for _, name := range names {
		if !isTempName(name) {
			continue
		}
		// Never a directory: we do not stage any.
		if err := unix.Unlinkat(dir.fd, name, 0); err != nil && err != unix.EISDIR {
			return removed, fmt.Errorf("removing %q from the folder %q: %w", name, path, err)
		} else if err == nil {
			removed++
		}
	}
	return removed, nil
}
