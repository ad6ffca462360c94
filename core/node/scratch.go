package node

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/rundir"
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
type Scratch = rundir.Scratch

// NewScratch makes a scratch directory in parent, for us alone. The caller
// closes it.
func NewScratch(parent, prefix string) (*Scratch, error) {
	return rundir.NewScratch(parent, prefix)
}

// RemoveScratch is Close for a process that inherited the lock. It touches
// nothing that is no scratch directory of ours.
func RemoveScratch(path string) error {
	return rundir.RemoveScratch(path, ScratchPrefix, ScratchPrefixForeign)
}

// MemoryBacked reports whether files in dir never reach a disk, swap aside.
func MemoryBacked(dir string) bool { return rundir.MemoryBacked(dir) }

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
	if available := availableMemory(); rundir.MemoryBacked(dir) && available >= 0 {
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
