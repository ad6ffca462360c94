package localfs

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

const (
	maxCachedDirs  = 128
	maxCachedFiles = 64
)

// Tree is a directory to restore into. Its methods take paths below that
// directory, checked by snapshot.CheckPath; where it says so, an empty path is
// the directory itself. They are safe for concurrent use, except that Close
// must come last.
type Tree struct {
	root     *handle
	dirs     *handleCache // by path
	files    *handleCache // staged files, by path of the temporary name
	accounts *accounts
	closed   atomic.Bool

	mu sync.Mutex
	// mounts holds a descriptor of every file system seen, from before the
	// first write: syncfs(2) reports lost writes only since it was opened.
	mounts map[uint64]int
	// unfinished are directories in which SweepStaged found unfinished files.
	unfinished map[string]bool
}

// OpenTree opens the directory root, which may be reached through symbolic
// links. With create it and its parents are made if missing, for us alone.
func OpenTree(root string, create bool) (*Tree, error) {
	if create {
		if err := os.MkdirAll(root, 0o700); err != nil {
			return nil, fmt.Errorf("creating the folder to restore to: %w", err)
		}
	}
	fd, err := openat(unix.AT_FDCWD, root, unix.O_PATH|unix.O_DIRECTORY, 0)
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the folder to restore to, %q: %w", root, err)
	}
	t := &Tree{
		root:     newHandle(fd, &st),
		dirs:     newHandleCache(maxCachedDirs),
		files:    newHandleCache(maxCachedFiles),
		accounts: loadAccounts(),
		mounts:   make(map[uint64]int),

		unfinished: make(map[string]bool),
	}
	t.noteMount(t.root)
	return t, nil
}

// Close gives all descriptors back. What is staged and not committed stays
// under its temporary name, for Resume.
func (t *Tree) Close() error {
	if t.closed.Swap(true) {
		return os.ErrClosed
	}
	t.files.clear()
	t.dirs.clear()
	t.root.release()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, fd := range t.mounts {
		unix.Close(fd)
	}
	clear(t.mounts)
	return nil
}

// parent opens the directory that path is in and returns it with the last
// element. The caller releases it.
func (t *Tree) parent(path []byte) (*handle, string, error) {
	if err := snapshot.CheckPath(path); err != nil {
		return nil, "", err
	}
	dir, name := splitPath(string(path))
	h, err := t.dir(dir)
	return h, name, err
}

// self is parent for methods that accept the root: an empty path is "." in it.
func (t *Tree) self(path []byte) (*handle, string, error) {
	if len(path) > 0 {
		return t.parent(path)
	}
	h, err := t.dir("")
	return h, ".", err
}

func splitPath(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// dir opens a directory component by component. Descriptors used lately are
// kept, but each is compared with what its name stands for now: directories
// are moved and replaced while we work.
func (t *Tree) dir(path string) (*handle, error) {
	if t.closed.Load() {
		return nil, os.ErrClosed
	}
	h := t.root.retain()
	for start := 0; start < len(path); {
		end := start + strings.IndexByte(path[start:], '/')
		if end < start {
			end = len(path)
		}
		next, err := t.child(h, path[:end], path[start:end])
		h.release()
		if err != nil {
			return nil, fmt.Errorf("opening the folder %q: %w", path[:end], inTheWay(err))
		}
		h, start = next, end+1
	}
	return h, nil
}

func (t *Tree) child(parent *handle, path, name string) (*handle, error) {
	if h := t.dirs.get(path); h != nil {
		var st unix.Stat_t
		if fstatat(parent.fd, name, &st) == nil && h.is(&st) {
			return h, nil
		}
		h.release()
		t.dirs.drop(path)
	}
	h, _, err := openHandle(parent.fd, name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	if h.dev != parent.dev {
		t.noteMount(h)
	}
	t.dirs.put(path, h)
	return h, nil
}

func (t *Tree) noteMount(dir *handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.mounts[dir.dev]; known {
		return
	}
	if fd, err := openat(dir.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0); err == nil {
		t.mounts[dir.dev] = fd
	}
}

// Sync returns when everything written so far is on disk, on every file system
// that directories of the tree were opened on. Committed names are on disk
// after a further Sync.
func (t *Tree) Sync() error {
	if t.closed.Load() {
		return os.ErrClosed
	}
	t.mu.Lock()
	mounts := maps.Clone(t.mounts)
	t.mu.Unlock()
	if _, ok := mounts[t.root.dev]; !ok {
		unix.Sync() // a root we may not read cannot be named to syncfs
	}
	for _, fd := range mounts {
		if err := unix.Syncfs(fd); err != nil {
			return fmt.Errorf("writing to disk: %w", err)
		}
	}
	return nil
}
