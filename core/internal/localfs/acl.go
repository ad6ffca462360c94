package localfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

const (
	xattrACL        = "system.posix_acl_access"
	xattrACLDefault = "system.posix_acl_default"
	xattrCapability = "security.capability"
)

// xattrs makes the attributes those of the entry. What someone else attached
// goes too, an inherited ACL above all; labels of the system stay.
func (a *applier) xattrs() {
	if !a.opt.Xattrs {
		return
	}
	x := a.o.xattrs()
	buf := xattrBuffers.Get().(*[maxXattr]byte)
	defer xattrBuffers.Put(buf)
	present, err := x.names(buf[:])
	if errors.Is(err, unix.EBADF) && len(a.e.Xattrs) == 0 {
		return // out of reach without /proc, and nothing to set
	}
	if err != nil {
		a.problem("%w", err)
	}
	for _, name := range present {
		if _, wanted := find(a.e.Xattrs, name); wanted || !removable(name) {
			continue
		}
		if err := x.remove(name); err != nil && err != unix.ENODATA {
			a.problem("removing attribute %q: %w", name, err)
		}
	}
	for _, attr := range a.e.Xattrs {
		if attr.Name == xattrCapability && !a.opt.KeepSetID {
			continue
		}
		err := x.set(attr.Name, attr.Value)
		if err != nil {
			// A label one may not set is often the right one already.
			if n, e := x.get(attr.Name, buf[:]); e == nil && bytes.Equal(buf[:n], attr.Value) {
				err = nil
			}
		}
		if err != nil {
			a.problem("attribute %q: %w", attr.Name, err)
		} else if attr.Name == xattrACL {
			a.aclSet = true
		}
	}
}

func removable(name string) bool {
	return strings.HasPrefix(name, "user.") || name == xattrACL || name == xattrACLDefault || name == xattrCapability
}

func find(attrs []snapshot.Xattr, name string) ([]byte, bool) {
	for _, x := range attrs {
		if x.Name == name {
			return x.Value, true
		}
	}
	return nil, false
}

// Layout of an ACL attribute: a version, then entries of a tag, permissions and
// an ID, little-endian (linux/posix_acl_xattr.h).
const (
	aclVersion  = 2
	aclGroupObj = 0x04
	aclMask     = 0x10
)

// groupMode is what the owning group may do under an ACL that is not restored.
// The mode of a file with an ACL shows the mask in the group's place, the most
// that anybody named in it may do: more, perhaps, than the group was allowed.
func groupMode(acl []byte, mode uint32) uint32 {
	if len(acl) < 4 || binary.LittleEndian.Uint32(acl) != aclVersion {
		return 0
	}
	group, mask := uint32(0), mode>>3
	for acl = acl[4:]; len(acl) >= 8; acl = acl[8:] {
		perm := uint32(binary.LittleEndian.Uint16(acl[2:])) & 0o7
		switch binary.LittleEndian.Uint16(acl) {
		case aclGroupObj:
			group = perm
		case aclMask:
			mask = perm
		}
	}
	return (group & mask) << 3
}
