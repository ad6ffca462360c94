package localfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// typeOf is zero for what a snapshot has no type for: sockets.
func typeOf(mode uint32) snapshot.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return snapshot.TypeFile
	case unix.S_IFDIR:
		return snapshot.TypeDir
	case unix.S_IFLNK:
		return snapshot.TypeSymlink
	case unix.S_IFIFO:
		return snapshot.TypeFIFO
	case unix.S_IFCHR:
		return snapshot.TypeCharDevice
	case unix.S_IFBLK:
		return snapshot.TypeBlockDevice
	}
	return 0
}

func isDir(st *unix.Stat_t) bool     { return st.Mode&unix.S_IFMT == unix.S_IFDIR }
func isRegular(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG }

// fillStat sets what st knows of an entry.
func fillStat(e *snapshot.Entry, st *unix.Stat_t) {
	e.Type = typeOf(st.Mode)
	e.Mode = st.Mode & 0o7777
	e.UID, e.GID = st.Uid, st.Gid
	e.ModTime = timespec(st.Mtim)
	e.ChangeTime = timespec(st.Ctim)
	e.Inode = st.Ino
	switch e.Type {
	case snapshot.TypeFile:
		e.Size = st.Size
	case snapshot.TypeCharDevice, snapshot.TypeBlockDevice:
		e.Device = uint64(st.Rdev)
	}
	if e.Type != snapshot.TypeDir && st.Nlink > 1 {
		e.Links = uint64(st.Nlink)
	}
}

func timespec(t unix.Timespec) snapshot.Timespec {
	return snapshot.Timespec{Sec: int64(t.Sec), Nsec: uint32(t.Nsec)}
}

func readlinkat(dirfd int, name string) ([]byte, error) {
	// A target is at most a page long: symlink(2) refuses a longer one.
	buf := make([]byte, 256)
	for {
		n, err := unix.Readlinkat(dirfd, name, buf)
		if err != nil {
			return nil, err
		}
		if n < len(buf) {
			return buf[:n:n], nil
		}
		buf = make([]byte, 4*len(buf))
	}
}

// openRegular opens a file for reading and makes sure it is one. It never
// waits for the other end of a pipe and never follows a link.
func openRegular(dirfd int, name, label string) (*os.File, *unix.Stat_t, error) {
	fd, err := openatQuiet(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, nil, inTheWay(err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && !isRegular(&st) {
		err = ErrInTheWay
	}
	if err != nil {
		unix.Close(fd)
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), label), &st, nil
}

// FreshEntry looks at an open file again. Size, ModTime, ChangeTime and Inode
// tell whether it changed while it was read; names of owners and extended
// attributes are not filled.
func FreshEntry(f *os.File, path []byte) (*snapshot.Entry, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	var statErr error
	if err = conn.Control(func(fd uintptr) { statErr = unix.Fstat(int(fd), &st) }); err == nil {
		err = statErr
	}
	if err != nil {
		return nil, fmt.Errorf("looking at %q again: %w", path, err)
	}
	e := &snapshot.Entry{Path: path}
	fillStat(e, &st)
	return e, nil
}
