package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"hiddenbackup/core/internal/rundir"
)

const practiceNote = "keeper.json"

// SpawnPractice is SpawnKeeper for a practice grid: it returns when all nodes answer.
func SpawnPractice(ctx context.Context, argv []string, cfg PracticeConfig) (*Attached, error) {
	if _, err := FindTahoe(); err != nil {
		return nil, err
	}
	var err error
	if cfg.Dir, err = PracticeDir(cfg.Dir); err != nil {
		return nil, err
	}
	return spawn(ctx, argv, order{Practice: &cfg})
}

func keepPractice(ctx context.Context, cfg PracticeConfig, tor Connector, ready func(*Attached) error) (err error) {
	// One that is there stays what it is.
	if before, err := PracticeGrid(cfg.Dir); err == nil && before.Network == Tor {
		cfg.Onions = true
	}
	cfg.connector = tor
	p, err := StartPractice(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	path := filepath.Join(p.Dir(), practiceNote)
	n, err := writeNote(path, note{})
	if err != nil {
		return err
	}
	defer os.Remove(path)
	if err := ready(n.attached()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// StopPractice stops the practice grid kept in dir (empty: the default) and
// returns when it is gone, or returns ErrNoPractice. What it stores stays.
func StopPractice(dir string) error {
	dir, err := PracticeDir(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, practiceNote)
	n, ok := readNote(path)
	if !ok {
		return fmt.Errorf("%w is running in %s", ErrNoPractice, dir)
	}
	err = n.Keeper.Stop(stopWait)
	if err == nil {
		os.Remove(path) // a keeper that had to be killed could not
	}
	return err
}

// PracticeRuns reports whether somebody runs the practice grid in dir.
func PracticeRuns(dir string) bool {
	lock, err := LockPractice(dir)
	if err == nil {
		rundir.Unlock(lock)
	}
	return errors.Is(err, rundir.ErrLocked)
}

// LockPractice takes dir for a practice grid until the file is closed, or
// returns rundir.ErrLocked.
func LockPractice(dir string) (*os.File, error) {
	return rundir.TryLock(filepath.Join(dir, lockName))
}

// NodeStatus is one node of a practice grid.
type NodeStatus struct {
	Name    string
	Running bool
	Used    int64 // bytes of disk that its shares take
}

// PracticeStatus is how a practice grid is doing. It names no addresses.
type PracticeStatus struct {
	Dir                  string
	Keeper               int // the process that keeps it; 0 if none does
	Onions               bool
	Introducer           NodeStatus
	Nodes                []NodeStatus
	Needed, Happy, Total int
}

// StatusOfPractice looks at the practice grid in dir (empty: the default),
// whoever runs it, or returns ErrNoPractice.
func StatusOfPractice(dir string) (PracticeStatus, error) {
	dir, err := PracticeDir(dir)
	if err != nil {
		return PracticeStatus{}, err
	}
	grid, err := readGrid(dir)
	if err != nil {
		return PracticeStatus{}, err
	}
	status := PracticeStatus{Dir: dir, Onions: grid.Network == Tor, Needed: grid.Needed, Happy: grid.Happy, Total: grid.Total}
	if n, ok := readNote(filepath.Join(dir, practiceNote)); ok {
		status.Keeper = n.Keeper.PID
	}
	introducer := newIntroducer(dir)
	introducer.port = grid.Ports[introducer.name]
	status.Introducer = NodeStatus{Name: introducer.name, Running: introducer.answers()}
	for _, s := range grid.Servers {
		n := &practiceNode{port: grid.Ports[s.Nickname]}
		used := spaceUsed(filepath.Join(dir, s.Nickname, "storage", "shares"))
		status.Nodes = append(status.Nodes, NodeStatus{Name: s.Nickname, Running: n.answers(), Used: used})
	}
	return status, nil
}

// spaceUsed counts what it can see: shares come and go meanwhile.
func spaceUsed(dir string) (bytes int64) {
	filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				bytes += stat.Blocks * 512
			}
		}
		return nil
	})
	return bytes
}
