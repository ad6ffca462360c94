package localfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A file is written under a name made from its final one, so that the next run
// finds by itself what a run that was cut off left. All of the hash: two names
// that share a part of it can be made, and would share a file.
const partPrefix = tempPrefix + "part-"

func partName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return partPrefix + hex.EncodeToString(sum[:])
}

// isPartName is as strict as isTempName.
func isPartName(name string) bool {
	tail, ok := strings.CutPrefix(name, partPrefix)
	b, err := hex.DecodeString(tail)
	return ok && err == nil && len(b) == sha256.Size && strings.ToLower(tail) == tail
}

// ours tells an unfinished file from what somebody planted under its name:
// another name of a file of ours, say, or a file that stays his to read and
// change.
func ours(st *unix.Stat_t) bool {
	return isRegular(st) && st.Nlink == 1 && int(st.Uid) == os.Geteuid()
}

// closed tells whether it is still as Stage made it. One that was cut off after
// Finish may have been opened by others, who would read what is written next:
// the content of a file that is not theirs to read.
func closed(st *unix.Stat_t) bool { return st.Mode&0o077 == 0 }

// Resume returns the file that an earlier run left unfinished for path, or nil
// when there is none that can be trusted to be ours alone. Its content may be
// anything: look at it before using it. Only what SweepStaged noted is found.
func (t *Tree) Resume(path []byte) *Staged {
	at, _ := splitPath(string(path))
	t.mu.Lock()
	noted := t.unfinished[at]
	t.mu.Unlock()
	if !noted {
		return nil
	}
	dir, name, err := t.parent(path)
	if err != nil {
		return nil
	}
	defer dir.release()
	s := &Staged{t: t, path: bytes.Clone(path), dir: at, name: name, temp: partName(name)}
	// A look before the open: a device could start something.
	var st unix.Stat_t
	if fstatat(dir.fd, s.temp, &st) != nil || !ours(&st) {
		return nil
	}
	if !closed(&st) {
		// Gone, it leaves its name and its space to the file that starts over.
		unix.Unlinkat(dir.fd, s.temp, 0)
		return nil
	}
	h, now, err := openHandle(dir.fd, s.temp, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return nil
	}
	defer h.release()
	if !ours(now) || !closed(now) {
		return nil
	}
	s.dev, s.ino = h.dev, h.ino
	t.files.put(s.key(), h)
	return s
}

// UnfinishedSize is how much of the disk an unfinished file of path takes, 0
// when Resume would neither have nor remove it.
func (t *Tree) UnfinishedSize(path []byte) int64 {
	dir, name, err := t.parent(path)
	if err != nil {
		return 0
	}
	defer dir.release()
	var st unix.Stat_t
	if fstatat(dir.fd, partName(name), &st) != nil || !ours(&st) {
		return 0
	}
	return st.Blocks * 512
}

// OpenRead opens what is staged for reading. The caller closes it.
func (s *Staged) OpenRead() (*os.File, error) {
	dir, err := s.t.dir(s.dir)
	if err != nil {
		return nil, err
	}
	defer dir.release()
	f, st, err := openRegular(dir.fd, s.temp, string(s.path))
	if err == nil && (uint64(st.Dev) != s.dev || st.Ino != s.ino) {
		f.Close()
		err = ErrChanged
	}
	if err != nil {
		return nil, fmt.Errorf("opening what was written of %q: %w", s.path, err)
	}
	return f, nil
}

// SweepStaged removes from one directory the temporary files that a killed run
// left there and returns how many. Unfinished files stay, and are noted for
// Resume and SweepUnfinished. No other run may be staging in it. An empty path
// is the root.
func (t *Tree) SweepStaged(path []byte) (removed int, err error) {
	return t.sweep(path, func(name string) bool {
		if isPartName(name) {
			t.mu.Lock()
			t.unfinished[string(path)] = true
			t.mu.Unlock()
		}
		return isTempName(name)
	})
}

// SweepUnfinished removes the unfinished files that SweepStaged noted and
// nobody needs any more. What it may not remove stays.
func (t *Tree) SweepUnfinished() {
	t.mu.Lock()
	noted := slices.Sorted(maps.Keys(t.unfinished))
	clear(t.unfinished)
	t.mu.Unlock()
	for _, path := range noted {
		t.sweep([]byte(path), isPartName)
	}
}

// sweep removes the names that match from one directory.
func (t *Tree) sweep(path []byte, match func(name string) bool) (removed int, err error) {
	// A trailing element that CheckPath accepts makes parent do all checks.
	dir, _, err := t.parent(append(bytes.TrimPrefix(append(bytes.Clone(path), '/'), []byte{'/'}), 'x'))
	if err != nil {
		return 0, err
	}
	defer dir.release()
	fd, err := openat(dir.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return 0, fmt.Errorf("reading the folder %q: %w", path, err)
	}
	defer unix.Close(fd)
	names, err := readNames(fd, make([]byte, 32<<10))
	if err != nil {
		return 0, fmt.Errorf("reading the folder %q: %w", path, err)
	}
	for _, name := range names {
		if !match(name) {
			continue
		}
		switch err := unix.Unlinkat(dir.fd, name, 0); err {
		case nil:
			removed++
		case unix.EISDIR, unix.EPERM, unix.ENOENT:
			// Not ours: we stage no directories, and nothing that others own.
		default:
			return removed, fmt.Errorf("removing %q from the folder %q: %w", name, path, err)
		}
	}
	return removed, nil
}
