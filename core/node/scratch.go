package node

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Prefixes of scratch directories. In a directory that is not ours alone the
// name says whose it is.
const (
	ScratchPrefix        = "rehearsal-"
	ScratchPrefixForeign = "hidden-backup-rehearsal-"
)

// Scratch is a directory that lives as long as a run. It is locked by whoever
// made it and by whoever inherits Lock; once all of them are dead the next
// NewScratch in the same parent, or the next gateway there, removes it.
type Scratch struct {
	Path string
	Lock *os.File
}

// NewScratch makes a scratch directory in parent, for us alone. The caller
// closes it.
func NewScratch(parent, prefix string) (*Scratch, error) {
	s := &Scratch{}
	return s, withSweepLock(parent, func() error {
		sweepScratch(parent, prefix)
		var random [4]byte
		rand.Read(random[:])
		s.Path = filepath.Join(parent, prefix+hex.EncodeToString(random[:]))
		err := os.Mkdir(s.Path, 0o700)
		if err == nil {
			if s.Lock, err = tryLock(filepath.Join(s.Path, lockName)); err != nil {
				os.Remove(s.Path)
			}
		}
		if err != nil {
			return fmt.Errorf("making a directory for the rehearsal: %w", err)
		}
		return nil
	})
}

// Close removes the directory with all that is in it.
func (s *Scratch) Close() error {
	err := removeTree(s.Path)
	unlock(s.Lock)
	return err
}

// RemoveScratch is Close for a process that inherited the lock. It touches
// nothing that is no scratch directory of ours.
func RemoveScratch(path string) error {
	if !isScratch(path, ScratchPrefix) && !isScratch(path, ScratchPrefixForeign) {
		return nil
	}
	return removeTree(path)
}

// sweepScratch removes what dead runs left in parent, as far as it can.
func sweepScratch(parent, prefix string) {
	paths, _ := filepath.Glob(filepath.Join(globEscape(parent), prefix+"*"))
	for _, path := range paths {
		if !isScratch(path, prefix) {
			continue
		}
		lock, err := tryLock(filepath.Join(path, lockName))
		if err != nil {
			continue // alive
		}
		removeTree(path)
		unlock(lock)
	}
}

// isScratch is strict: the parent may be full of a person's own things.
func isScratch(path, prefix string) bool {
	tail, ok := strings.CutPrefix(filepath.Base(path), prefix)
	if b, err := hex.DecodeString(tail); !ok || err != nil || len(b) != 4 {
		return false
	}
	var lock unix.Stat_t
	return checkPrivate(path) == nil && unix.Lstat(filepath.Join(path, lockName), &lock) == nil && lock.Mode&unix.S_IFMT == unix.S_IFREG
}

// removeTree also removes folders that were restored closed.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return removeAll(path)
}

// MemoryBacked reports whether files in dir never reach a disk, swap aside.
func MemoryBacked(dir string) bool { return memoryBacked(dir) }

// spare is the memory that a gateway and we ourselves need beside the files.
const spare = 256 << 20

// Room returns how many bytes of files dir can take, and of one in memory no
// more than the machine has to spare.
func Room(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("asking for the free space of %q: %w", dir, err)
	}
	free := int64(st.Bavail) * st.Bsize
	if available := availableMemory(); memoryBacked(dir) && available >= 0 {
		free = min(free, max(available-spare, 0))
	}
	return free, nil
}

// availableMemory is what the kernel can give away without swapping; -1 unknown.
func availableMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return -1
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kB int64
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kB); n == 1 {
			return kB << 10
		}
	}
	return -1
}
