package localfs

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// OwnerMode says whose a restored entry is to be. Only root can give files
// away: for everyone else, entries belong to whoever restores.
type OwnerMode uint8

const (
	OwnerSkip  OwnerMode = iota // whoever restores
	OwnerIDs                    // the numbers the entry has
	OwnerNames                  // local users and groups of the same names, else the numbers
)

// MetaOptions says which metadata is restored. Permissions and the time of
// modification always are.
type MetaOptions struct {
	Owner OwnerMode
	// KeepSetID keeps what lends a program the rights of others: the setuid and
	// setgid bits and file capabilities. The bits are kept only where the owner
	// they speak of is the right one.
	KeepSetID bool
	// Xattrs restores extended attributes, POSIX ACLs among them.
	Xattrs bool
}

// SetMeta gives what stands at path the metadata of e: a directory, once its
// content is complete. An empty path is the root. ErrInTheWay says that it is
// of another type; a *MetaError is a warning.
func (t *Tree) SetMeta(path []byte, e *snapshot.Entry, opt MetaOptions) error {
	dir, name, err := t.self(path)
	if err != nil {
		return err
	}
	defer dir.release()
	return t.setMeta(dir, name, path, e, opt)
}

func (t *Tree) setMeta(dir *handle, name string, path []byte, e *snapshot.Entry, opt MetaOptions) error {
	o, err := openObject(dir, name)
	if err != nil {
		return fmt.Errorf("restoring metadata of %q: %w", path, err)
	}
	defer o.close()
	return t.apply(o, path, e, opt)
}

// apply is in an order that matters: chown(2) drops setuid and capabilities,
// chmod(2) may forbid writing attributes, and all of them change times.
func (t *Tree) apply(o *object, path []byte, e *snapshot.Entry, opt MetaOptions) error {
	if typeOf(o.st.Mode) != e.Type {
		return fmt.Errorf("restoring metadata of %q: %w", path, ErrInTheWay)
	}
	a := &applier{t: t, o: o, e: e, opt: opt}
	a.owner()
	a.xattrs()
	if e.Type != snapshot.TypeSymlink {
		a.mode()
	}
	a.times()
	if len(a.problems) > 0 {
		return &MetaError{Path: path, Problems: a.problems}
	}
	return nil
}

// applier collects what could not be applied.
type applier struct {
	t        *Tree
	o        *object
	e        *snapshot.Entry
	opt      MetaOptions
	problems []error

	rightUser, rightGroup bool // it belongs to whom it should
	aclSet                bool
}

func (a *applier) problem(format string, args ...any) {
	a.problems = append(a.problems, fmt.Errorf(format, args...))
}

func (a *applier) owner() {
	uid, gid := a.e.UID, a.e.GID
	a.rightUser, a.rightGroup = a.o.st.Uid == uid, a.o.st.Gid == gid
	if a.opt.Owner == OwnerSkip || os.Geteuid() != 0 {
		return
	}
	if a.opt.Owner == OwnerNames {
		if id, ok := a.t.accounts.uids[a.e.User]; ok {
			uid = id
		}
		if id, ok := a.t.accounts.gids[a.e.Group]; ok {
			gid = id
		}
	}
	if err := unix.Fchownat(a.o.fd, "", int(uid), int(gid), unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW); err != nil {
		a.problem("owner %d:%d: %w", uid, gid, err)
		return
	}
	a.rightUser, a.rightGroup = true, true
}

// mode also looks at the result: the kernel drops bits without a word.
func (a *applier) mode() {
	mode := a.e.Mode & 0o1777
	if a.opt.KeepSetID {
		if a.rightUser {
			mode |= a.e.Mode & unix.S_ISUID
		}
		if a.rightGroup {
			mode |= a.e.Mode & unix.S_ISGID
		}
		if mode != a.e.Mode&0o7777 {
			a.problem("mode %04o: setuid and setgid are left out, the owner is another", a.e.Mode)
		}
	}
	if acl, ok := find(a.e.Xattrs, xattrACL); ok && !a.aclSet {
		mode = mode&^0o070 | groupMode(acl, mode&0o070)
	}
	err := a.o.chmod(mode)
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(a.o.fd, &st); err == nil && st.Mode&0o7777 != mode {
			err = fmt.Errorf("the file system made it %04o", st.Mode&0o7777)
		}
	}
	if err != nil {
		a.problem("mode %04o: %w", mode, err)
	}
}

// times also looks at the result: the kernel moves a time that the file system
// cannot hold to the nearest it can. FAT rounds to two seconds; that is none.
func (a *applier) times() {
	want := a.e.ModTime
	ts, err := unix.TimeToTimespec(time.Unix(want.Sec, int64(want.Nsec)))
	if err == nil {
		err = a.o.setTimes(ts)
	}
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(a.o.fd, &st); err == nil {
			if off := int64(st.Mtim.Sec) - want.Sec; off < -2 || off > 2 {
				err = fmt.Errorf("the file system cannot hold it")
			}
		}
	}
	if err != nil {
		a.problem("time of modification: %w", err)
	}
}
