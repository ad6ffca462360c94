package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/tor"
)

// Config says which service, and where. The zero value is the storage node.
type Config struct {
	Service string // one of Services; empty is the first

	// Data is where a state that is to stay is kept. Empty means
	// hidden-backup/host among the user's data or, on Tails, in the Persistent Folder.
	Data string

	// Program and its arguments call Run, in a process of its own. Empty is
	// this program with “host run --service NAME”.
	Program []string

	// Bridges and Private are as in tor.Config. Enable remembers them, also that
	// there are none.
	Bridges, Private []string

	Logger *slog.Logger // nil means silence
}

// Host is a service on this machine, whether it runs or not.
type Host struct {
	Service *Service

	cfg    Config
	tails  bool
	data   string // its directory if it stays
	memory string // its directory if it does not
	note   string // what the running process says of itself; in memory
}

// Files and directories of a state.
const (
	optionsName = "options.toml"
	stateName   = "state.json"
	lockName    = "owner.lock" // held by the process that runs the service
	nodeName    = "node"
	guardsName  = "guards"
)

// maxFile bounds what is read of any file of a state.
const maxFile = 4 << 20

var onTails = tor.OnTails // tests pretend

// Open finds the service and its state. It starts and writes nothing.
func Open(cfg Config) (*Host, error) {
	service, err := FindService(cfg.Service)
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Host{Service: service, cfg: cfg, tails: onTails()}
	data := cfg.Data
	if data == "" {
		if data, err = dataDir(h.tails); err != nil {
			return nil, err
		}
	}
	if data, err = filepath.Abs(data); err != nil {
		return nil, err
	}
	memory, err := rundir.Dir("", false)
	if err != nil {
		return nil, err
	}
	h.data = filepath.Join(data, service.Name)
	h.memory = filepath.Join(memory, "host-"+service.Name)
	h.note = h.memory + ".json"
	return h, nil
}

// dataDir is where states stay. On Tails the home directory does not.
func dataDir(tails bool) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("choosing a directory for the host: %w", err)
	}
	if tails {
		return filepath.Join(home, "Persistent", "hidden-backup", "host"), nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "hidden-backup", "host"), nil
}

// dir is where the state is, or would be made, and whether it is there. A
// state on disk is one that persists: the option is nothing else.
func (h *Host) dir() (dir string, there bool) {
	for _, dir := range []string{h.data, h.memory} {
		if _, err := os.Lstat(dir); err == nil {
			return dir, true
		}
	}
	if h.Service.option(optPersistence).defaultOn(h.tails) == "on" {
		return h.data, false
	}
	return h.memory, false
}

// Directory is where the state is, or would be made.
func (h *Host) Directory() string {
	dir, _ := h.dir()
	return dir
}

// Persistent reports whether keys and shares survive the session.
func (h *Host) Persistent() bool { return h.Directory() == h.data }

// make makes a directory for the state, or checks that it is ours alone.
func (h *Host) make(dir string) error {
	if parent := filepath.Dir(dir); parent == filepath.Dir(h.data) {
		if h.tails && h.cfg.Data == "" {
			// Its absence means that the Persistent Storage is locked: a folder
			// of that name made now would be gone with the session.
			folder := filepath.Dir(filepath.Dir(parent))
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				return fmt.Errorf("%w at %s", ErrNoPersistence, folder)
			}
		}
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return fmt.Errorf("making a directory for the host: %w", err)
		}
	}
	return rundir.Private(dir)
}

// inState runs do with the directory of the state, made if needed, while no
// other command changes or moves it.
func (h *Host) inState(do func(dir string) error) error {
	for {
		err := h.tryInState(do)
		if !errors.Is(err, errMoved) {
			return err
		}
	}
}

var errMoved = errors.New("the state was moved meanwhile")

func (h *Host) tryInState(do func(dir string) error) error {
	dir, there := h.dir()
	if !there {
		if err := h.make(dir); err != nil {
			return err
		}
	} else if err := rundir.CheckPrivate(dir); err != nil { // it is not made anew if it was moved
		return err
	}
	before, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("looking at the host's state: %w", err)
	}
	return rundir.WithSweepLock(dir, func() error {
		// What is changed in a directory that was moved, there and back even, would be lost.
		now, err := os.Lstat(dir)
		if err != nil || h.Directory() != dir || !os.SameFile(before, now) {
			return errMoved
		}
		return do(dir)
	})
}

// Running reports whether a process holds the state.
func (h *Host) Running() bool {
	dir, there := h.dir()
	if !there {
		return false
	}
	lock, err := rundir.TryLock(filepath.Join(dir, lockName))
	if err == nil {
		rundir.Unlock(lock)
	}
	return errors.Is(err, rundir.ErrLocked)
}

// read returns a file of the state, and nothing if there is none.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("it is larger than a file of ours")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, filepath.Base(path), err)
	}
	return data, nil
}

// write replaces a file: a reader sees the old one or the new one, also after
// a power cut.
func write(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
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
