package localfs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// Linux bounds both the list of names and one value by this (xattr(7)).
const maxXattr = 64 << 10

var xattrBuffers = sync.Pool{New: func() any { return new([maxXattr]byte) }}

// xattrs reaches the extended attributes of one object: through path, by the
// variants that do not follow a link at its end, or through fd when path is
// empty.
type xattrs struct {
	path   string
	fd     int
	follow bool // path is a link in /proc that stands for the object
}

func (x xattrs) list(buf []byte) (int, error) {
	switch {
	case x.path == "":
		return unix.Flistxattr(x.fd, buf)
	case x.follow:
		return unix.Listxattr(x.path, buf)
	}
	return unix.Llistxattr(x.path, buf)
}

func (x xattrs) get(name string, buf []byte) (int, error) {
	switch {
	case x.path == "":
		return unix.Fgetxattr(x.fd, name, buf)
	case x.follow:
		return unix.Getxattr(x.path, name, buf)
	}
	return unix.Lgetxattr(x.path, name, buf)
}

func (x xattrs) set(name string, value []byte) error {
	switch {
	case x.path == "":
		return unix.Fsetxattr(x.fd, name, value, 0)
	case x.follow:
		return unix.Setxattr(x.path, name, value, 0)
	}
	return unix.Lsetxattr(x.path, name, value, 0)
}

func (x xattrs) remove(name string) error {
	switch {
	case x.path == "":
		return unix.Fremovexattr(x.fd, name)
	case x.follow:
		return unix.Removexattr(x.path, name)
	}
	return unix.Lremovexattr(x.path, name)
}

// names lists the attributes, sorted. Most things have none, and asking for the
// length first saves the kernel from allocating the whole buffer to say so.
func (x xattrs) names(buf []byte) ([]string, error) {
	n, err := x.list(nil)
	if err == nil && n > 0 {
		n, err = x.list(buf)
	}
	if err == unix.ENOTSUP || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing extended attributes: %w", err)
	}
	names := strings.Split(string(bytes.TrimSuffix(buf[:n], []byte{0})), "\x00")
	slices.Sort(names)
	return names, nil
}

// read returns all attributes sorted by name. With an error it returns those
// that could be read.
func (x xattrs) read() ([]snapshot.Xattr, error) {
	buf := xattrBuffers.Get().(*[maxXattr]byte)
	defer xattrBuffers.Put(buf)
	names, problem := x.names(buf[:])
	var all []snapshot.Xattr
	for _, name := range names {
		n, err := x.get(name, buf[:4096])
		if err == unix.ERANGE {
			n, err = x.get(name, buf[:])
		}
		switch err {
		case nil:
			all = append(all, snapshot.Xattr{Name: name, Value: bytes.Clone(buf[:n])})
		case unix.ENODATA: // gone since it was listed
		default:
			problem = fmt.Errorf("reading extended attribute %q: %w", name, err)
		}
	}
	return all, problem
}

// readXattrs reads the attributes of name in the directory dir.
func readXattrs(dir *handle, name string, t snapshot.Type) ([]snapshot.Xattr, error) {
	if haveProc() {
		return xattrs{path: dir.proc + "/" + name}.read()
	}
	// Without /proc only what can be opened without side effects has any.
	if t != snapshot.TypeFile && t != snapshot.TypeDir {
		return nil, nil
	}
	fd, err := openatQuiet(dir.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("opening for its extended attributes: %w", err)
	}
	defer unix.Close(fd)
	return xattrs{fd: fd}.read()
}
