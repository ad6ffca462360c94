package localfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// Lstat describes what stands at path, as Walk would; an empty path is the
// root. withXattrs also reads the extended attributes.
func (t *Tree) Lstat(path []byte, withXattrs bool) (*snapshot.Entry, error) {
	dir, name, err := t.self(path)
	if err != nil {
		return nil, err
	}
	defer dir.release()
	e, err := t.lstat(dir, name, path, withXattrs)
	if err != nil {
		return nil, fmt.Errorf("looking at %q: %w", path, err)
	}
	return e, nil
}

func (t *Tree) lstat(dir *handle, name string, path []byte, withXattrs bool) (*snapshot.Entry, error) {
	var st unix.Stat_t
	if err := fstatat(dir.fd, name, &st); err != nil {
		return nil, err
	}
	e := &snapshot.Entry{Path: path}
	fillStat(e, &st)
	e.User, e.Group = t.accounts.users[st.Uid], t.accounts.groups[st.Gid]
	var err error
	if e.Type == snapshot.TypeSymlink {
		if e.Target, err = readlinkat(dir.fd, name); err != nil {
			return nil, err
		}
	}
	if withXattrs {
		e.Xattrs, err = readXattrs(dir, name, e.Type)
	}
	return e, err
}

// OpenRead opens a regular file; for anything else it returns ErrInTheWay. The
// caller closes it.
func (t *Tree) OpenRead(path []byte) (*os.File, error) {
	dir, name, err := t.parent(path)
	if err != nil {
		return nil, err
	}
	defer dir.release()
	f, _, err := openRegular(dir.fd, name, string(path))
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", path, err)
	}
	return f, nil
}
