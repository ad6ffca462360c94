package localfs

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// WalkOptions says what of a folder Walk leaves out; the zero value is nothing
// but sockets.
type WalkOptions struct {
	// Rules are asked in order; the first that matches decides, and what none
	// matches is included. They see paths below the root, never the root.
	Rules []Rule
	// OneFileSystem keeps mount points, but not what is mounted there.
	OneFileSystem bool
	// SkipCacheDirs keeps only the tag of a directory with a CACHEDIR.TAG.
	SkipCacheDirs bool
	// MaxSize leaves out larger files; zero is no limit.
	MaxSize int64
}

const (
	// Ancestors further up than this are closed and found again on the way
	// back, so that a deep tree does not use up all descriptors.
	maxOpenLevels = 100

	cacheTag          = "CACHEDIR.TAG"
	cacheTagSignature = "Signature: 8a477f597d28d172789f06886806bc55"
)

// Walk visits root and everything below in the order of a listing
// (snapshot.ComparePaths): a directory before its content, siblings by the
// bytes of their names. name becomes the first element of every path. root is
// a directory or a regular file, or a link to one.
//
// visit owns the item and must release it. What cannot be read is an item with
// Err and the walk goes on; Walk itself fails only if root cannot be read, ctx
// is over, or visit returns an error, which is returned as it is.
func Walk(ctx context.Context, name, root string, o WalkOptions, visit func(*Item) error) error {
	if strings.Contains(name, "/") {
		return fmt.Errorf("%w: folder name %q with a slash", snapshot.ErrFormat, name)
	}
	if err := snapshot.CheckPath([]byte(name)); err != nil {
		return err
	}
	w := &walker{ctx: ctx, o: o, visit: visit, prefix: len(name) + 1, accounts: loadAccounts()}
	fi, err := os.Stat(root)
	if err != nil {
		return fmt.Errorf("opening the folder: %w", err)
	}
	switch {
	case fi.IsDir():
		return w.rootDir(name, root)
	case fi.Mode().IsRegular():
		return w.rootFile(name, root)
	}
	return fmt.Errorf("opening the folder: %q is neither a folder nor a file", root)
}

type walker struct {
	ctx      context.Context
	o        WalkOptions
	visit    func(*Item) error
	prefix   int // length of the folder's name and the slash
	accounts *accounts
	dev      uint64 // the file system of root
	levels   []*level
	buf      [32 << 10]byte // for names of one directory
}

// level is a directory whose content is being visited.
type level struct {
	h        *handle // nil while closed because the walk is far below
	dev, ino uint64
	err      error // why it could not be opened again
}

func (w *walker) rootDir(name, root string) error {
	fd, err := openatQuiet(unix.AT_FDCWD, root, unix.O_RDONLY|unix.O_DIRECTORY)
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return fmt.Errorf("opening the folder %q: %w", root, err)
	}
	h := newHandle(fd, &st)
	w.dev = h.dev
	it := w.item(nil, "", []byte(name))
	it.fill(&st)
	it.Entry.Xattrs, it.XattrErr = xattrs{fd: fd}.read()
	return w.directory(it, h)
}

func (w *walker) rootFile(name, root string) error {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return fmt.Errorf("opening the folder: %w", err)
	}
	dir, base := filepath.Split(real)
	if dir == "" {
		dir = "."
	}
	fd, err := openat(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("opening the folder of %q: %w", root, err)
	}
	parent := newHandle(fd, new(unix.Stat_t))
	defer parent.release()
	return w.entry(parent, base, []byte(name))
}

func (w *walker) item(parent *handle, name string, path []byte) *Item {
	if parent != nil {
		parent.retain()
	}
	return &Item{Entry: &snapshot.Entry{Path: path}, parent: parent, name: name, accounts: w.accounts}
}

// entry visits name in parent and, if it is a directory, what is below.
func (w *walker) entry(parent *handle, name string, path []byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	it := w.item(parent, name, path)
	var st unix.Stat_t
	err := fstatat(parent.fd, name, &st)
	if err == nil && len(path) > snapshot.MaxPath {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		it.Err = fmt.Errorf("looking at %q: %w", path, err)
		return w.visit(it)
	}
	it.fill(&st)
	if it.Excluded = w.exclude(it); it.Excluded != "" {
		return w.visit(it)
	}
	it.Entry.Xattrs, it.XattrErr = readXattrs(parent, name, it.Entry.Type)
	switch it.Entry.Type {
	case snapshot.TypeSymlink:
		if it.Entry.Target, err = readlinkat(parent.fd, name); err != nil {
			it.Err = fmt.Errorf("reading the link %q: %w", path, err)
		}
	case snapshot.TypeDir:
		return w.subdirectory(it, parent, name)
	}
	return w.visit(it)
}

func (w *walker) exclude(it *Item) ExcludeReason {
	e := it.Entry
	dir := e.Type == snapshot.TypeDir
	switch {
	case len(e.Path) > w.prefix && !included(w.o.Rules, e.Path[w.prefix:], dir):
		return ExcludedByRule
	case e.Type == 0:
		return ExcludedSocket
	case w.o.OneFileSystem && !dir && len(w.levels) > 0 && it.Dev != w.dev:
		return ExcludedFileSystem
	case w.o.MaxSize > 0 && e.Size > w.o.MaxSize:
		return ExcludedSize
	}
	return ""
}

func (w *walker) subdirectory(it *Item, parent *handle, name string) error {
	if w.o.OneFileSystem && it.Dev != w.dev {
		it.Pruned = ExcludedFileSystem
		return w.visit(it)
	}
	fd, err := openatQuiet(parent.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(fd, &st); err == nil && (uint64(st.Dev) != it.Dev || st.Ino != it.Entry.Inode) {
			err = ErrChanged
		}
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		it.Err = fmt.Errorf("opening the folder %q: %w", it.Entry.Path, err)
		return w.visit(it)
	}
	return w.directory(it, newHandle(fd, &st))
}

// directory visits it, which is open as h, and then its content. It takes h.
func (w *walker) directory(it *Item, h *handle) error {
	path := it.Entry.Path
	names, err := w.names(h.fd)
	if err != nil {
		it.Err = fmt.Errorf("reading the folder %q: %w", path, err)
	}
	if w.o.SkipCacheDirs && isCacheDir(h.fd, names) {
		it.Pruned = ExcludedCache
		names = []string{cacheTag}
	}
	lv := w.enter(h)
	defer w.leave(lv)
	if err := w.visit(it); err != nil {
		return err
	}
	for _, name := range names {
		child := slices.Concat(path, []byte{'/'}, []byte(name))
		if lv.h != nil {
			err = w.entry(lv.h, name, child)
		} else {
			lost := w.item(nil, name, child)
			lost.Err = fmt.Errorf("opening the folder of %q again: %w", child, lv.err)
			err = w.visit(lost)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) enter(h *handle) *level {
	lv := &level{h: h, dev: h.dev, ino: h.ino}
	w.levels = append(w.levels, lv)
	if far := len(w.levels) - 1 - maxOpenLevels; far >= 0 && w.levels[far].h != nil {
		w.levels[far].h.release()
		w.levels[far].h = nil
	}
	return lv
}

// leave closes a directory and, if the one above was closed meanwhile, opens
// that again: it is "..", unless someone moved things about.
func (w *walker) leave(lv *level) {
	w.levels = w.levels[:len(w.levels)-1]
	if n := len(w.levels); n > 0 && w.levels[n-1].h == nil {
		w.levels[n-1].reopen(lv)
	}
	if lv.h != nil {
		lv.h.release()
		lv.h = nil
	}
}

func (lv *level) reopen(below *level) {
	if below.h == nil {
		lv.err = below.err
		return
	}
	h, _, err := openHandle(below.h.fd, "..", unix.O_RDONLY|unix.O_DIRECTORY)
	if err == nil && (h.dev != lv.dev || h.ino != lv.ino) {
		h.release()
		err = ErrChanged
	}
	if err != nil {
		lv.err = err
		return
	}
	lv.h = h
}

// names reads a directory. Should that fail midway, what was read still counts.
func (w *walker) names(fd int) ([]string, error) {
	names, err := readNames(fd, w.buf[:])
	slices.Sort(names)
	return names, err
}

func readNames(fd int, buf []byte) (names []string, err error) {
	for {
		var n int
		err := again(func() (err error) {
			n, err = unix.ReadDirent(fd, buf)
			return err
		})
		if err != nil || n <= 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// isCacheDir knows a directory by the tag of bford.info/cachedir.
func isCacheDir(fd int, names []string) bool {
	if _, found := slices.BinarySearch(names, cacheTag); !found {
		return false
	}
	f, _, err := openRegular(fd, cacheTag, cacheTag)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(cacheTagSignature))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == cacheTagSignature
}
