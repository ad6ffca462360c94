package localfs

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// ExcludeReason says why something is left out; empty means it is not.
type ExcludeReason string

const (
	ExcludedByRule     ExcludeReason = "rule"
	ExcludedCache      ExcludeReason = "cache folder"
	ExcludedSize       ExcludeReason = "size"
	ExcludedFileSystem ExcludeReason = "other file system"
	ExcludedSocket     ExcludeReason = "socket"
)

// Item is one thing Walk came by. Its fields are the visitor's to keep.
type Item struct {
	// Entry always has its Path. Everything else is filled unless Err or
	// Excluded say otherwise: an excluded entry has what stat(2) tells and no
	// extended attributes. Chunks are never filled, and a further name of a
	// file that was met before is still a TypeFile, with Links above one: Dev
	// and Entry.Inode tell which file it is.
	Entry *snapshot.Entry
	// Dev is the number of the file system the entry is on.
	Dev uint64
	// Blocks is the space in use in units of 512 bytes: less than Size for a
	// file with holes.
	Blocks int64
	// Err says why the entry could not be read; the walk goes on. A directory
	// that cannot be opened still has its metadata.
	Err error
	// XattrErr says that some extended attributes could not be read; the rest
	// of Entry is complete.
	XattrErr error
	// Excluded says why the entry and everything below it is left out.
	Excluded ExcludeReason
	// Pruned says why a directory that is itself kept was not descended into:
	// ExcludedCache (the tag file still follows) or ExcludedFileSystem.
	Pruned ExcludeReason

	mu       sync.Mutex
	parent   *handle // nil once released, and for a root directory
	name     string
	accounts *accounts
}

// Open opens a regular file for reading. It works until Release, from any
// goroutine and after the visit is over. ErrChanged says that the name now
// stands for another file than the one Entry describes. The caller closes it.
func (it *Item) Open() (*os.File, error) {
	f, err := it.open()
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", it.Entry.Path, err)
	}
	return f, nil
}

func (it *Item) open() (*os.File, error) {
	if it.Entry.Type != snapshot.TypeFile {
		return nil, fmt.Errorf("it is not a file: %w", os.ErrInvalid)
	}
	parent, err := it.dir()
	if err != nil {
		return nil, err
	}
	defer parent.release()

	f, st, err := openRegular(parent.fd, it.name, string(it.Entry.Path))
	if err == ErrInTheWay {
		return nil, ErrChanged
	}
	if err != nil {
		return nil, err
	}
	if uint64(st.Dev) != it.Dev || st.Ino != it.Entry.Inode {
		f.Close()
		return nil, ErrChanged
	}
	return f, nil
}

// dir returns the parent directory; the caller releases it.
func (it *Item) dir() (*handle, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.parent == nil {
		return nil, os.ErrClosed
	}
	return it.parent.retain(), nil
}

// Renew describes the file that the name stands for now, which Open then opens:
// for one that was replaced after the visit, as editors do when they save. What
// is no file any more is ErrChanged.
func (it *Item) Renew() error {
	parent, err := it.dir()
	if err != nil {
		return err
	}
	defer parent.release()
	var st unix.Stat_t
	if err := fstatat(parent.fd, it.name, &st); err != nil {
		return fmt.Errorf("looking at %q again: %w", it.Entry.Path, err)
	}
	if !isRegular(&st) {
		return fmt.Errorf("looking at %q again: %w", it.Entry.Path, ErrChanged)
	}
	*it.Entry = snapshot.Entry{Path: it.Entry.Path}
	it.fill(&st)
	it.Entry.Xattrs, it.XattrErr = readXattrs(parent, it.name, it.Entry.Type)
	return nil
}

func (it *Item) fill(st *unix.Stat_t) {
	fillStat(it.Entry, st)
	it.Entry.User = it.accounts.users[st.Uid]
	it.Entry.Group = it.accounts.groups[st.Gid]
	it.Dev, it.Blocks = uint64(st.Dev), st.Blocks
}

// Release lets go of the parent directory. Every visited item must be released
// once Open is no longer needed; doing it twice is harmless.
func (it *Item) Release() {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.parent != nil {
		it.parent.release()
		it.parent = nil
	}
}
