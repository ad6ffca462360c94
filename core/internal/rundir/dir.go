package rundir

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
	// ErrNoMemoryDir means that no memory-backed directory was found, or that
	// the one named is on a disk.
	ErrNoMemoryDir = errors.New("no memory-backed directory for what a run keeps")

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

// Dir returns the directory for what lives as long as a run, and makes it if
// needed. An empty dir chooses a memory-backed place of the system; allowDisk
// accepts a named one on a disk. The directory is ours alone.
func Dir(dir string, allowDisk bool) (string, error) {
	if dir != "" {
		return namedDir(dir, allowDisk)
	}
	none := &NoMemoryDirError{}
	for _, candidate := range Candidates() {
		reason := against(filepath.Dir(candidate))
		if reason != "" {
			none.Tried = append(none.Tried, filepath.Dir(candidate)+" ("+reason+")")
			continue
		}
		// From here on a problem is not a reason to go elsewhere: somebody
		// may have put that directory in our way.
		return candidate, Private(candidate)
	}
	return "", none
}

func namedDir(dir string, allowDisk bool) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := Private(dir); err != nil {
		return "", err
	}
	if !allowDisk && !MemoryBacked(dir) {
		return "", &NoMemoryDirError{Tried: []string{dir + " (on a disk)"}}
	}
	return dir, nil
}

// Candidates are our directories in the system's memory-backed places, best first.
func Candidates() []string {
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
	case !MemoryBacked(dir):
		return "on a disk"
	case unix.Access(dir, unix.W_OK|unix.X_OK) != nil:
		return "not writable"
	}
	return ""
}

// Private makes the directory 0700 or checks that it is ours alone: a real
// directory, our own, closed to everybody else.
func Private(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return os.Chmod(dir, 0o700) // whatever the umask
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making a directory for a run: %w", err)
	}
	return CheckPrivate(dir)
}

// CheckPrivate is Private for a directory that must be there.
func CheckPrivate(dir string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(dir, &stat); err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	return checkPrivate(&stat, dir)
}

func checkPrivate(stat *unix.Stat_t, dir string) error {
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

// MemoryBacked reports whether files there never reach a disk, swap aside.
func MemoryBacked(dir string) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return false
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}
