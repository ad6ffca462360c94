package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	// ErrNoMemoryDir means that no memory-backed directory was found for node
	// directories, or that the one named is on a disk.
	ErrNoMemoryDir = errors.New("no memory-backed directory for the gateway")

	// ErrUnsafeDir is a directory that others could read or change.
	ErrUnsafeDir = errors.New("the directory is not ours alone")
)

// NoMemoryDirError names what was tried. It is an ErrNoMemoryDir.
type NoMemoryDirError struct {
	Tried []string // directories, each with the reason against it
}

func (e *NoMemoryDirError) Error() string {
	return ErrNoMemoryDir.Error() + ": tried " + strings.Join(e.Tried, "; ")
}

// Is makes it an ErrNoMemoryDir.
func (e *NoMemoryDirError) Is(target error) bool { return target == ErrNoMemoryDir }

// RuntimeDir returns the directory for what lives as long as a run, and makes
// it if needed. dir and allowDisk are as in GatewayConfig: empty chooses a
// memory-backed place of the system. The directory is ours alone.
func RuntimeDir(dir string, allowDisk bool) (string, error) {
	if dir != "" {
		return namedDir(dir, allowDisk)
	}
	none := &NoMemoryDirError{}
	for _, candidate := range runtimeCandidates() {
		reason := against(filepath.Dir(candidate))
		if reason != "" {
			none.Tried = append(none.Tried, filepath.Dir(candidate)+" ("+reason+")")
			continue
		}
		// From here on a problem is not a reason to go elsewhere: somebody
		// may have put that directory in our way.
		return candidate, privateDir(candidate)
	}
	return "", none
}

func namedDir(dir string, allowDisk bool) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := privateDir(dir); err != nil {
		return "", err
	}
	if !allowDisk && !memoryBacked(dir) {
		return "", &NoMemoryDirError{Tried: []string{dir + " (on a disk)"}}
	}
	return dir, nil
}

// runtimeCandidates are our directories in the system's memory-backed places, best first.
func runtimeCandidates() []string {
	uid := strconv.Itoa(os.Getuid())
	var found []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		found = append(found, filepath.Join(dir, "hidden-backup"))
	}
	if dir := filepath.Join("/run/user", uid, "hidden-backup"); len(found) == 0 || found[0] != dir {
		found = append(found, dir)
	}
	return append(found, "/dev/shm/hidden-backup-"+uid)
}

// against says what speaks against a directory of the system; empty is nothing.
func against(dir string) string {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "not there"
	case err != nil:
		return "not accessible"
	case !info.IsDir():
		return "not a directory"
	case !memoryBacked(dir):
		return "on a disk"
	case unix.Access(dir, unix.W_OK|unix.X_OK) != nil:
		return "not writable"
	}
	return ""
}

// privateDir makes the directory 0700 or checks that it is ours alone: a real
// directory, our own, closed to everybody else.
func privateDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return os.Chmod(dir, 0o700) // whatever the umask
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the directory for nodes: %w", err)
	}
	return checkPrivate(dir)
}

// checkPrivate is privateDir for a directory that must be there.
func checkPrivate(dir string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(dir, &stat); err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	switch {
	case stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("%w: %s is a symbolic link", ErrUnsafeDir, dir)
	case stat.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%w: %s is not a directory", ErrUnsafeDir, dir)
	case int(stat.Uid) != os.Getuid():
		return fmt.Errorf("%w: %s belongs to another user", ErrUnsafeDir, dir)
	case stat.Mode&0o077 != 0:
		return fmt.Errorf("%w: %s is open to other users (mode %04o, must be 0700)", ErrUnsafeDir, dir, stat.Mode&0o777)
	}
	return nil
}

// memoryBacked reports whether files there never reach a disk, swap aside.
func memoryBacked(dir string) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return false
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}

// Lock takes a lock of that name in the directory that RuntimeDir returns, or
// returns ErrAlreadyRunning while another process holds it. It ends with
// unlock or with the process, and leaves no file behind.
func Lock(dir string, allowDisk bool, name string) (unlock func(), err error) {
	dir, err = RuntimeDir(dir, allowDisk)
	if err != nil {
		return nil, err
	}
	f, err := tryLock(filepath.Join(dir, name))
	if err != nil {
		return nil, alreadyRunning("locking "+name, err)
	}
	return func() {
		os.Remove(f.Name()) // before it is released: see tryLock
		f.Close()
	}, nil
}
