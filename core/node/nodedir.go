package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hiddenbackup/core/internal/rundir"
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
	return rundir.WithSweepLock(filepath.Dir(d.path), func() error {
		if err := os.Mkdir(d.path, 0o700); err != nil {
			return fmt.Errorf("making the node directory: %w", err)
		}
		lock, err := rundir.TryLock(filepath.Join(d.path, lockName))
		if err != nil {
			os.Remove(d.path)
			return fmt.Errorf("locking the node directory: %w", err)
		}
		d.lock = lock
		return nil
	})
}

// remove deletes the directory.
func (d *nodeDir) remove() error {
	if d.lock == nil {
		return nil // not made, so not ours
	}
	err := rundir.RemoveAll(d.path)
	rundir.Unlock(d.lock)
	d.lock = nil
	return err
}

// sweep removes node directories whose owners and nodes are all dead.
func sweep(parent string) error {
	return rundir.WithSweepLock(parent, func() error {
		dirs, err := filepath.Glob(filepath.Join(rundir.GlobEscape(parent), gatewayPrefix+"*"))
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
				continue
			}
			lock, err := rundir.TryLock(filepath.Join(dir, lockName))
			if err != nil {
				continue // alive
			}
			err = rundir.RemoveAll(dir)
			rundir.Unlock(lock)
			if err != nil {
				return fmt.Errorf("removing what a dead gateway left: %w", err)
			}
		}
		rundir.SweepScratch(parent, ScratchPrefix)
		return nil
	})
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
	files, _ := filepath.Glob(filepath.Join(rundir.GlobEscape(dir), "logs", "incidents", "*"))
	for _, file := range files {
		os.Remove(file)
	}
}
