package node

import (
	"os"
	"path/filepath"

	"hiddenbackup/core/internal/rundir"
)

var (
	// ErrNoMemoryDir means that no memory-backed directory was found for node
	// directories, or that the one named is on a disk.
	ErrNoMemoryDir = rundir.ErrNoMemoryDir

	// ErrUnsafeDir is a directory that others could read or change.
	ErrUnsafeDir = rundir.ErrUnsafeDir
)

// NoMemoryDirError names what was tried. It is an ErrNoMemoryDir.
type NoMemoryDirError = rundir.NoMemoryDirError

// RuntimeDir returns the directory for what lives as long as a run, and makes
// it if needed. dir and allowDisk are as in GatewayConfig: empty chooses a
// memory-backed place of the system. The directory is ours alone.
func RuntimeDir(dir string, allowDisk bool) (string, error) {
	return rundir.Dir(dir, allowDisk)
}

// Lock takes a lock of that name in the directory that RuntimeDir returns, or
// returns ErrAlreadyRunning while another process holds it. It ends with
// unlock or with the process, and leaves no file behind.
func Lock(dir string, allowDisk bool, name string) (unlock func(), err error) {
	dir, err = RuntimeDir(dir, allowDisk)
	if err != nil {
		return nil, err
	}
	f, err := rundir.TryLock(filepath.Join(dir, name))
	if err != nil {
		return nil, alreadyRunning("locking "+name, err)
	}
	return func() {
		os.Remove(f.Name()) // before it is released: see rundir.TryLock
		f.Close()
	}, nil
}
