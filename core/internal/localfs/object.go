package localfs

import (
	"golang.org/x/sys/unix"
)

// object is something in a directory whose metadata is to be set: pinned by a
// descriptor, so that nothing swapped in under its name is touched instead.
type object struct {
	dir  *handle
	name string
	fd   int // O_PATH if there is /proc, else open for reading if possible
	st   unix.Stat_t
	path string // of fd in /proc, empty without
}

// openObject never opens what it pins, so a pipe does not wait, a device does
// not start, and no permission of the object itself is needed.
func openObject(dir *handle, name string) (*object, error) {
	o := &object{dir: dir, name: name}
	var err error
	if o.fd, err = openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0); err != nil {
		return nil, err
	}
	if err := unix.Fstat(o.fd, &o.st); err != nil {
		o.close()
		return nil, err
	}
	if haveProc() {
		o.path = procPath(o.fd)
		return o, nil
	}
	o.reopen()
	return o, nil
}

// reopen gets by without /proc for files and directories we may read.
func (o *object) reopen() {
	if !isRegular(&o.st) && !isDir(&o.st) {
		return
	}
	h, st, err := openHandle(o.dir.fd, o.name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return
	}
	if st.Dev != o.st.Dev || st.Ino != o.st.Ino {
		h.release()
		return
	}
	unix.Close(o.fd)
	o.fd = h.fd
}

func (o *object) close() { unix.Close(o.fd) }

func (o *object) xattrs() xattrs { return xattrs{path: o.path, fd: o.fd, follow: true} }

func (o *object) chmod(mode uint32) error {
	if o.path != "" {
		return unix.Chmod(o.path, mode)
	}
	return unix.Fchmod(o.fd, mode)
}

// setTimes sets the time of modification and leaves that of access alone.
func (o *object) setTimes(mtime unix.Timespec) error {
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	if o.path != "" {
		return unix.UtimesNanoAt(unix.AT_FDCWD, o.path, ts, 0)
	}
	return unix.UtimesNanoAt(o.dir.fd, o.name, ts, unix.AT_SYMLINK_NOFOLLOW)
}
