package localfs

import (
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
