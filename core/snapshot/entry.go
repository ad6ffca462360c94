package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Type says what kind of file system object an Entry is.
type Type uint8

// The values are part of the format: never renumber them.
const (
	TypeFile Type = iota + 1
	TypeDir
	TypeSymlink
	TypeHardlink // another name of a file that stands earlier in the listing
	TypeFIFO
	TypeCharDevice
	TypeBlockDevice
)

func (t Type) String() string {
	switch t {
	case TypeFile:
		return "file"
	case TypeDir:
		return "folder"
	case TypeSymlink:
		return "symbolic link"
	case TypeHardlink:
		return "hard link"
	case TypeFIFO:
		return "named pipe"
	case TypeCharDevice:
		return "character device"
	case TypeBlockDevice:
		return "block device"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Bounds of one Entry. They are wider than Linux allows, so that nothing real
// is refused, and tight enough that a bad listing cannot exhaust memory.
const (
	MaxPath   = 64 << 10
	MaxChunks = 1 << 20 // of one file: about one TiB
	MaxXattrs = 4096
)

// Timespec is a point in time as the file system has it, seconds since 1970
// and nanoseconds; it covers every time a file can carry.
type Timespec struct {
	_    struct{} `cbor:",toarray"`
	Sec  int64
	Nsec uint32
}

// Xattr is one extended attribute. POSIX ACLs and file capabilities are
// extended attributes too (system.posix_acl_access, security.capability).
type Xattr struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value []byte
}

// Entry is one object of a snapshot: a directory, a file, a link, a device.
type Entry struct {
	// Path starts with the folder's name; its elements are joined by "/".
	// The bytes are as the file system has them, not always UTF-8.
	Path []byte `cbor:"1,keyasint"`
	Type Type   `cbor:"2,keyasint"`
	// Mode holds the permission bits and setuid, setgid and sticky (07777).
	Mode  uint32 `cbor:"3,keyasint,omitempty"`
	UID   uint32 `cbor:"4,keyasint,omitempty"`
	GID   uint32 `cbor:"5,keyasint,omitempty"`
	User  string `cbor:"6,keyasint,omitempty"`
	Group string `cbor:"7,keyasint,omitempty"`

	ModTime Timespec `cbor:"8,keyasint"`
	// ChangeTime and Inode are never restored: they only tell the next backup
	// whether a file is still the one it was.
	ChangeTime Timespec `cbor:"9,keyasint"`
	Inode      uint64   `cbor:"10,keyasint,omitempty"`

	// Size is the length of a file in bytes, holes included; the sum of the
	// lengths of Chunks.
	Size int64 `cbor:"11,keyasint,omitempty"`
	// Links is the number of hard links when it is above one.
	Links uint64 `cbor:"12,keyasint,omitempty"`
	// Target is where a symbolic link points, or the Path of the entry a hard
	// link is another name of.
	Target []byte `cbor:"13,keyasint,omitempty"`
	// Device is the device number of a device node, as stat(2) gives it.
	Device uint64  `cbor:"14,keyasint,omitempty"`
	Xattrs []Xattr `cbor:"15,keyasint,omitempty"`
	// Chunks are the content in order; a chunk with a zero ID is a hole.
	Chunks []ChunkRef `cbor:"16,keyasint,omitempty"`
	// Changed says that the file changed each time it was read, so that its
	// content may be a mixture.
	Changed bool `cbor:"17,keyasint,omitempty"`
}

// ChunkRef says where the bytes of one chunk are.
type ChunkRef struct {
	_ struct{} `cbor:",toarray"`
	// ID is the SHA-256 of the plaintext; the zero ID is a hole, which has
	// only a Length.
	ID ChunkID
	// Pack holds the sealed chunk at Offset, Sealed bytes long.
	Pack   PackID
	Offset uint32
	Sealed uint32
	// Length counts plaintext bytes.
	Length int64
}

// Hole reports whether r stands for Length zero bytes that are stored nowhere.
func (r ChunkRef) Hole() bool { return r.ID == ChunkID{} }

// ErrFormat is wrapped by every complaint about a malformed object of ours.
var ErrFormat = errors.New("malformed backup object")

// Folder is the first element of the path: the name of the folder it is in.
func (e *Entry) Folder() string {
	name, _, _ := bytes.Cut(e.Path, []byte("/"))
	return string(name)
}

// Validate checks what must hold before an entry's fields are used: a bad name
// is refused here and never becomes a path.
func (e *Entry) Validate() error {
	if err := CheckPath(e.Path); err != nil {
		return err
	}
	if e.Mode&^0o7777 != 0 || e.ModTime.Nsec >= 1e9 || e.Size < 0 || len(e.Xattrs) > MaxXattrs {
		return fmt.Errorf("%w: entry with impossible metadata", ErrFormat)
	}
	switch e.Type {
	case TypeFile:
		return e.checkContent()
	case TypeHardlink:
		if err := CheckPath(e.Target); err != nil {
			return err
		}
		if ComparePaths(e.Target, e.Path) >= 0 {
			return fmt.Errorf("%w: hard link to a later entry", ErrFormat)
		}
	case TypeSymlink:
		if len(e.Target) == 0 || len(e.Target) > MaxPath || bytes.IndexByte(e.Target, 0) >= 0 {
			return fmt.Errorf("%w: symbolic link without a usable target", ErrFormat)
		}
	case TypeDir, TypeFIFO, TypeCharDevice, TypeBlockDevice:
	default:
		return fmt.Errorf("%w: entry of unknown %v", ErrFormat, e.Type)
	}
	if len(e.Chunks) != 0 || e.Size != 0 {
		return fmt.Errorf("%w: %v with content", ErrFormat, e.Type)
	}
	return nil
}

func (e *Entry) checkContent() error {
	if len(e.Chunks) > MaxChunks {
		return fmt.Errorf("%w: file of too many chunks", ErrFormat)
	}
	var sum int64
	for _, r := range e.Chunks {
		if r.Length <= 0 || !r.Hole() && (r.Length > MaxChunk || r.Sealed < SealOverhead || r.Sealed > MaxSealedChunk) || sum+r.Length < sum {
			return fmt.Errorf("%w: chunk of impossible length", ErrFormat)
		}
		sum += r.Length
	}
	if sum != e.Size {
		return fmt.Errorf("%w: chunks do not add up to the file's size", ErrFormat)
	}
	return nil
}

// CheckPath reports whether p is a relative path of plain elements: none
// empty, none "." or "..", no NUL.
func CheckPath(p []byte) error {
	if len(p) == 0 || len(p) > MaxPath || bytes.IndexByte(p, 0) >= 0 {
		return fmt.Errorf("%w: unusable path", ErrFormat)
	}
	for elem := range strings.SplitSeq(string(p), "/") {
		if elem == "" || elem == "." || elem == ".." {
			return fmt.Errorf("%w: path with the element %q", ErrFormat, elem)
		}
	}
	return nil
}

// ComparePaths is the order of a listing: a directory comes right before what
// is in it, siblings by the bytes of their names. It is the order of bytes
// with "/" below every other byte.
func ComparePaths(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' {
			return -1
		}
		if y == '/' {
			return 1
		}
		if x < y {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
