package node

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// startFile says how far a practice grid is that starts: nobody else knows
// before the grid file is written.
const startFile = "starting"

// upCount counts the storage nodes that answer while a grid starts.
type upCount struct {
	mu     sync.Mutex
	path   string
	up, of int
}

// add counts n more. What the file cannot say is only not shown.
func (c *upCount) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up += n
	writeWhole(c.path, fmt.Appendf(nil, "%d %d\n", c.up, c.of))
}

// PracticeStarting says how many storage nodes are up of a practice grid that
// starts in dir (empty: the default), and of how many. Both are 0 where none starts.
func PracticeStarting(dir string) (up, of int) {
	dir, err := PracticeDir(dir)
	if err != nil {
		return 0, 0
	}
	data, err := os.ReadFile(filepath.Join(dir, startFile))
	if err != nil {
		return 0, 0
	}
	if _, err := fmt.Sscan(string(data), &up, &of); err != nil || up < 0 || of < up {
		return 0, 0
	}
	return up, of
}
