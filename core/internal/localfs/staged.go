package localfs

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

const tempPrefix = ".hidden-backup-"

func tempName() string {
	var b [8]byte
	rand.Read(b[:])
	return tempPrefix + hex.EncodeToString(b[:])
}

// isTempName is strict, so that nothing a person named is ever swept away.
func isTempName(name string) bool {
	tail, ok := strings.CutPrefix(name, tempPrefix)
	b, err := hex.DecodeString(tail)
	return ok && err == nil && len(b) == 8 && strings.ToLower(tail) == tail
}

// Staged is a file being written under a temporary name beside its final one.
// Any number may be staged at once: no descriptor is held for long. WriteAt,
// Sync and Truncate may be called from several goroutines; then, in this order
// and from one, Finish, Tree.Sync and Commit. Discard may replace any. What is
// neither committed nor discarded stays, for Resume in a later run.
type Staged struct {
	t         *Tree
	path      []byte
	dir, name string
	temp      string
	dev, ino  uint64
}

// Stage creates an empty temporary file in the directory of path, which must
// exist, under the name that Resume finds it by. Whether path itself is taken is
// looked at by Commit only.
func (t *Tree) Stage(path []byte) (*Staged, error) {
	dir, name, err := t.parent(path)
	if err != nil {
		return nil, err
	}
	defer dir.release()
	s := &Staged{t: t, path: bytes.Clone(path), name: name, temp: partName(name)}
	s.dir, _ = splitPath(string(path))
	h, _, err := createHandle(dir, s.temp)
	if err == unix.EEXIST {
		// It is not ours, or Resume would have had it. Under another name the
		// file comes back all the same; only, nobody could continue it.
		s.temp = tempName()
		h, _, err = createHandle(dir, s.temp)
	}
	if err != nil {
		return nil, fmt.Errorf("creating a file for %q: %w", path, err)
	}
	defer h.release()
	s.dev, s.ino = h.dev, h.ino
	t.files.put(s.key(), h)
	return s, nil
}

func createHandle(dir *handle, name string) (*handle, *unix.Stat_t, error) {
	fd, err := openat(dir.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, nil, err
	}
	return newHandle(fd, &st), &st, nil
}

func (s *Staged) key() string { return s.dir + "/" + s.temp }

// open returns the temporary file; the caller releases it.
func (s *Staged) open() (*handle, error) {
	if s.t.closed.Load() {
		return nil, os.ErrClosed
	}
	if h := s.t.files.get(s.key()); h != nil {
		return h, nil
	}
	dir, err := s.t.dir(s.dir)
	if err != nil {
		return nil, err
	}
	defer dir.release()
	h, _, err := openHandle(dir.fd, s.temp, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if h.dev != s.dev || h.ino != s.ino {
		h.release()
		return nil, ErrChanged
	}
	s.t.files.put(s.key(), h)
	return h, nil
}

// WriteAt writes all of b at off. A full disk is syscall.ENOSPC.
func (s *Staged) WriteAt(b []byte, off int64) (int, error) {
	h, err := s.open()
	if err != nil {
		return 0, fmt.Errorf("writing %q: %w", s.path, err)
	}
	defer h.release()
	done := 0
	for done < len(b) {
		n, err := unix.Pwrite(h.fd, b[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && n == 0:
			err = io.ErrShortWrite
		}
		if err != nil {
			return done, fmt.Errorf("writing %q: %w", s.path, err)
		}
		done += n
	}
	return done, nil
}

// Sync returns when what was written is on disk.
func (s *Staged) Sync() error {
	h, err := s.open()
	if err == nil {
		err = again(func() error { return unix.Fsync(h.fd) })
		h.release()
	}
	if err != nil {
		return fmt.Errorf("writing %q to disk: %w", s.path, err)
	}
	return nil
}

// Truncate sets the size. What is never written below it is a hole of zeros.
func (s *Staged) Truncate(size int64) error {
	h, err := s.open()
	if err == nil {
		err = again(func() error { return unix.Ftruncate(h.fd, size) })
		h.release()
	}
	if err != nil {
		return fmt.Errorf("setting the size of %q: %w", s.path, err)
	}
	return nil
}

// Finish gives the temporary file the metadata of e; only Commit or Discard may
// follow. A *MetaError is a warning: the file can be committed all the same.
func (s *Staged) Finish(e *snapshot.Entry, opt MetaOptions) error {
	s.t.files.drop(s.key())
	dir, err := s.t.dir(s.dir)
	if err != nil {
		return err
	}
	defer dir.release()
	o, err := openObject(dir, s.temp)
	if err == nil {
		defer o.close()
		if uint64(o.st.Dev) != s.dev || o.st.Ino != s.ino {
			err = ErrChanged
		}
	}
	if err != nil {
		return fmt.Errorf("restoring metadata of %q: %w", s.path, err)
	}
	return s.t.apply(o, s.path, e, opt)
}

// Commit gives the file its final name in one step. Without replace a name that
// is taken is ErrExists; with it, whatever is there is replaced, except a
// directory, which is ErrInTheWay. After an error the file is still staged.
func (s *Staged) Commit(replace bool) error {
	s.t.files.drop(s.key())
	dir, err := s.t.dir(s.dir)
	if err != nil {
		return err
	}
	defer dir.release()
	if err := rename(dir.fd, s.temp, s.name, replace); err != nil {
		return fmt.Errorf("giving %q its name: %w", s.path, err)
	}
	return nil
}

// Discard removes the temporary file.
func (s *Staged) Discard() error {
	s.t.files.drop(s.key())
	dir, err := s.t.dir(s.dir)
	if err != nil {
		return err
	}
	defer dir.release()
	if err := unix.Unlinkat(dir.fd, s.temp, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("discarding what was written of %q: %w", s.path, err)
	}
	return nil
}

// rename gives temp its final name in the same directory.
func rename(dirfd int, temp, name string, replace bool) error {
	if replace {
		return inTheWay(unix.Renameat(dirfd, temp, dirfd, name))
	}
	err := unix.Renameat2(dirfd, temp, dirfd, name, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS || err == unix.ENOTSUP {
		err = renameByLink(dirfd, temp, name)
	}
	if err == unix.EEXIST {
		return ErrExists
	}
	return err
}

// renameByLink is RENAME_NOREPLACE for file systems without it. Where there are
// no hard links either, it looks before it renames, which leaves a moment in
// which a new file of that name would be replaced.
func renameByLink(dirfd int, temp, name string) error {
	err := unix.Linkat(dirfd, temp, dirfd, name, 0)
	switch err {
	case nil:
		return unix.Unlinkat(dirfd, temp, 0)
	case unix.EPERM, unix.ENOTSUP, unix.ENOSYS, unix.EMLINK:
		var st unix.Stat_t
		if err := fstatat(dirfd, name, &st); err != unix.ENOENT {
			if err == nil {
				err = unix.EEXIST
			}
			return err
		}
		return unix.Renameat(dirfd, temp, dirfd, name)
	}
	return err
}
