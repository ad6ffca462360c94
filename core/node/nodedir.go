package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	gatewayPrefix = "gateway-" // of gateways' node directories
	lockName      = "owner.lock"
	socketName    = "web.sock"

	// The kernel's field for a UNIX socket's path has 108 bytes with its end.
	maxSocketPath = 107
)

// ErrSocketPath means that the node directory's path leaves no room for a socket.
var ErrSocketPath = errors.New("the directory's path is too long for a UNIX socket")

// nodeDir is one gateway's node directory. It is made anew, under the same
// name, for every run of tahoe.
type nodeDir struct {
	path string
	lock *os.File // held while we or anything of the node live
}

func newNodeDir(parent string) (*nodeDir, error) {
	var random [4]byte
	rand.Read(random[:])
	d := &nodeDir{path: filepath.Join(parent, gatewayPrefix+hex.EncodeToString(random[:]))}
	if len(d.socket()) > maxSocketPath {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d work",
			ErrSocketPath, d.socket(), len(d.socket()), maxSocketPath)
	}
	return d, nil
}

func (d *nodeDir) socket() string { return filepath.Join(d.path, socketName) }

// make creates the directory with its lock. Between the two a sweep would
// take it for a dead one's, so sweeps are kept out.
func (d *nodeDir) make() error {
	return withSweepLock(filepath.Dir(d.path), func() error {
		if err := os.Mkdir(d.path, 0o700); err != nil {
			return fmt.Errorf("making the node directory: %w", err)
		}
		lock, err := tryLock(filepath.Join(d.path, lockName))
		if err != nil {
			os.Remove(d.path)
			return fmt.Errorf("locking the node directory: %w", err)
		}
		d.lock = lock
		return nil
	})
}

// remove deletes the directory. A node that was killed this moment may still
// be creating files, so it is tried for a while.
func (d *nodeDir) remove() error {
	if d.lock == nil {
		return nil // not made, so not ours
	}
	err := removeAll(d.path)
	unlock(d.lock)
	d.lock = nil
	return err
}

func removeAll(path string) error {
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := os.RemoveAll(path)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// sweep removes node directories whose owners and nodes are all dead.
func sweep(parent string) error {
	return withSweepLock(parent, func() error {
		dirs, err := filepath.Glob(filepath.Join(globEscape(parent), gatewayPrefix+"*"))
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
				continue
			}
			lock, err := tryLock(filepath.Join(dir, lockName))
			if err != nil {
				continue // alive
			}
			err = removeAll(dir)
			unlock(lock)
			if err != nil {
				return fmt.Errorf("removing what a dead gateway left: %w", err)
			}
		}
		sweepScratch(parent, ScratchPrefix)
		return nil
	})
}

func globEscape(path string) string {
	var escaped []byte
	for _, c := range []byte(path) {
		switch c {
		case '*', '?', '[', '\\':
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	return string(escaped)
}

// withSweepLock locks the directory itself, so that no lock file stays behind.
func withSweepLock(parent string, do func() error) error {
	f, err := os.Open(parent)
	if err != nil {
		return fmt.Errorf("locking the directory for nodes: %w", err)
	}
	defer unlock(f)
	if err := flock(f, unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", parent, err)
	}
	return do()
}

// errLocked means that somebody alive holds the lock.
var errLocked = errors.New("locked by a running process")

// tryLock locks a file, which it creates if needed. The holder may delete it.
func tryLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, path) {
			return f, nil
		}
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		if err != nil {
			return nil, err
		}
	}
}

// unlock does more than close: a child that is being forked this very moment
// has a copy of the descriptor, which would hold the lock until it starts.
func unlock(f *os.File) {
	flock(f, unix.LOCK_UN)
	f.Close()
}

// sameFile reports whether path still is f: the last holder may have deleted it.
func sameFile(f *os.File, path string) bool {
	opened, err1 := f.Stat()
	named, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// writeFiles writes files of a new node directory; names with a slash are below it.
func writeFiles(dir string, files map[string][]byte) error {
	for _, sub := range []string{"private", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("making the node directory: %w", err)
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("writing the node directory: %w", err)
		}
	}
	return nil
}

// removeStale deletes what a killed tahoe leaves and the next one stumbles over.
func removeStale(dir string) {
	for _, name := range []string{"running.process", "running.process.lock", socketName, socketName + ".lock"} {
		os.Remove(filepath.Join(dir, name))
	}
	removeIncidents(dir)
}

// removeIncidents deletes foolscap's incident files: they hold whole
// announcements, with secrets, and nothing else ever deletes them.
func removeIncidents(dir string) {
	files, _ := filepath.Glob(filepath.Join(globEscape(dir), "logs", "incidents", "*"))
	for _, file := range files {
		os.Remove(file)
	}
}
