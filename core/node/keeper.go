package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
)

// A kept gateway or practice grid belongs to a process of its own, the
// keeper, so that several commands can use it. It leaves a note in the
// directory: who keeps it, and where it answers.

var (
	// ErrNoGateway means that no gateway of that id is kept.
	ErrNoGateway = errors.New("no such gateway is running")

	// ErrAlreadyRunning means that somebody keeps it already.
	ErrAlreadyRunning = errors.New("it is running already")
)

// stopWait is enough for the keeper to stop its nodes, kill those that hang, and clean up.
const stopWait = 20 * time.Second

// Attached is a gateway or practice grid that another process keeps.
type Attached struct {
	ID     string // empty for a practice grid
	Socket string // of the web API; empty for a practice grid
	PID    int    // of the keeper
}

// WaitServers is like Gateway.WaitServers.
func (a *Attached) WaitServers(ctx context.Context, n int) (usable int, err error) {
	return waitServers(ctx, a.Socket, n, func() error { return nil })
}

// note is the keeper's file.
type note struct {
	ID     string           `json:"id"`
	Socket string           `json:"socket"`
	Keeper process.Identity `json:"keeper"`
}

func (n note) attached() *Attached {
	return &Attached{ID: n.ID, Socket: n.Socket, PID: n.Keeper.PID}
}

var idGrammar = regexp.MustCompile(`^[0-9a-f]{4,64}$`)

func checkID(id string) error {
	if !idGrammar.MatchString(id) {
		return badConfig("%q is not a gateway id", id)
	}
	return nil
}

func notePath(dir, id string) string { return filepath.Join(dir, "keeper-"+id+".json") }
func lockPath(dir, id string) string { return filepath.Join(dir, "keeper-"+id+".lock") }

// Keep runs a gateway under that id until ctx ends, or until it was given up.
// The id is short and hexadecimal, and stands for a manifest.
func Keep(ctx context.Context, id string, cfg GatewayConfig) error {
	return keepGateway(ctx, id, cfg, func(*Attached) error { return nil })
}

func keepGateway(ctx context.Context, id string, cfg GatewayConfig, ready func(*Attached) error) (err error) {
	if err := checkID(id); err != nil {
		return err
	}
	dir, err := RuntimeDir(cfg.Dir, cfg.AllowDisk)
	if err != nil {
		return err
	}
	lock, err := rundir.TryLock(lockPath(dir, id))
	if err != nil {
		return alreadyRunning("keeping the gateway", err)
	}
	defer func() {
		os.Remove(lock.Name()) // before it is released: see rundir.TryLock
		rundir.Unlock(lock)
	}()
	g, err := StartGateway(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	n, err := writeNote(notePath(dir, id), note{ID: id, Socket: g.Socket()})
	if err != nil {
		return err
	}
	defer os.Remove(notePath(dir, id))
	if err := ready(n.attached()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-g.supervisor.GaveUp():
		return g.State().Reason
	}
}

func alreadyRunning(doing string, err error) error {
	if errors.Is(err, rundir.ErrLocked) {
		return ErrAlreadyRunning
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// writeNote adds who we are. A reader sees the whole note or none.
func writeNote(path string, n note) (note, error) {
	self, err := process.Self()
	if err != nil {
		return n, err
	}
	n.Keeper = self
	data, err := json.Marshal(n)
	if err != nil {
		return n, err
	}
	return n, writeWhole(path, data)
}

// writeWhole replaces a private file by rename.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// readNote returns none if there is no living keeper; a dead one's note is removed.
func readNote(path string) (n note, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return note{}, false
	}
	if json.Unmarshal(data, &n) == nil && n.Keeper.Running() {
		return n, true
	}
	os.Remove(path)
	return note{}, false
}

// FindGateway attaches to the gateway kept under that id, or returns
// ErrNoGateway. dir is the GatewayConfig.Dir it was started with.
func FindGateway(dir, id string) (*Attached, error) {
	n, _, err := findNote(dir, id)
	if err != nil {
		return nil, err
	}
	return n.attached(), nil
}

func findNote(dir, id string) (n note, path string, err error) {
	if err := checkID(id); err != nil {
		return note{}, "", err
	}
	dirs := rundir.Candidates()
	if dir != "" {
		dirs = []string{dir}
	}
	for _, d := range dirs {
		if rundir.CheckPrivate(d) != nil {
			continue // not there, or somebody else's: ours is not in it
		}
		if n, ok := readNote(notePath(d, id)); ok {
			return n, notePath(d, id), nil
		}
	}
	return note{}, "", ErrNoGateway
}

// StopGateway stops the gateway kept under that id and returns when it is
// gone, or returns ErrNoGateway.
func StopGateway(dir, id string) error {
	n, path, err := findNote(dir, id)
	if err != nil {
		return err
	}
	if err := n.Keeper.Stop(stopWait); err != nil {
		return err
	}
	os.Remove(path) // a keeper that had to be killed could not
	// Nor could it remove the node directory; its shell does, in a moment.
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		_, err := os.Lstat(filepath.Dir(n.Socket))
		return errors.Is(err, os.ErrNotExist), nil
	})
}
