package host

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/node"
)

const (
	firstPause   = time.Second // before what ended is started again
	longestPause = 5 * time.Minute
	healthy      = 10 * time.Minute // what lived so long had no trouble starting

	// Below the range the kernel takes outgoing ports from, and apart from
	// those of the practice grid.
	firstPort, lastPort = 32000, 32700
)

// errAgain means that everything is to be started anew with other settings.
var errAgain = errors.New("the settings changed")

// runner is the process that runs a service.
type runner struct {
	h   *Host
	dir string

	mu   sync.Mutex
	note note
}

// Run runs the service until ctx ends. What ends meanwhile is started again,
// after pauses that grow. Nothing of it outlives this process, however that ends.
func (h *Host) Run(ctx context.Context) error {
	if err := h.possible(ctx); err != nil {
		return err
	}
	if err := h.inState(func(string) error { return nil }); err != nil {
		return err
	}
	dir := h.Directory()
	lock, err := takeLock(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	defer rundir.Unlock(lock)
	if err := h.prepare(func(*state) {}); err != nil {
		return err
	}
	self, err := process.Self()
	if err != nil {
		return err
	}
	r := &runner{h: h, dir: dir, note: note{Keeper: self, Phase: Starting}}
	if err := h.writeNote(r.note); err != nil {
		return err
	}
	defer h.removeNote()
	alive, cancel := context.WithCancel(ctx)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		r.beat(alive)
	}()
	defer func() { cancel(); <-beats }()
	return r.keep(ctx)
}

// takeLock is patient: Running takes the lock for a moment to look.
func takeLock(path string) (*os.File, error) {
	for try := 0; ; try++ {
		lock, err := rundir.TryLock(path)
		switch {
		case !errors.Is(err, rundir.ErrLocked):
			return lock, err
		case try == 20:
			return nil, node.ErrAlreadyRunning
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// keep runs sessions until ctx ends or the state is gone.
func (r *runner) keep(ctx context.Context) error {
	pause := firstPause
	for {
		began := time.Now()
		r.set(func(n *note) { n.Phase, n.Percent, n.Published = Starting, 0, false; n.Attempts++ })
		err := r.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrState) && errors.Is(err, fs.ErrNotExist):
			return err // of a file that somebody is editing the end may be mended
		case errors.Is(err, errAgain):
			pause = firstPause
			continue
		}
		if time.Since(began) > healthy {
			pause = firstPause
		}
		r.h.cfg.Logger.Warn("the service ended, and is started again", "pause", pause, "reason", err)
		r.set(func(n *note) { n.Phase, n.Published, n.Problem = Pausing, false, err.Error() })
		if !r.pause(ctx, pause) {
			return nil
		}
		pause = min(2*pause, longestPause)
	}
}

// pause waits, but not when somebody changed something: it may be the remedy.
// It returns false when ctx ended.
func (r *runner) pause(ctx context.Context, d time.Duration) bool {
	before := r.version()
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end.C:
			return true
		case <-tick.C:
			if r.version() != before {
				return true
			}
		}
	}
}

// set changes the note; beat writes it.
func (r *runner) set(change func(*note)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.note)
}

// beat writes the note when it changed, and in any case now and then.
func (r *runner) beat(ctx context.Context) {
	tick := time.NewTicker(lookEvery / 2)
	defer tick.Stop()
	var written note
	var at time.Time
	for {
		r.mu.Lock()
		n := r.note
		r.mu.Unlock()
		if n != written || time.Since(at) > noteEvery {
			if err := r.h.writeNote(n); err == nil {
				written, at = n, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prepare lets edit change the state and makes it complete: with a port on
// loopback, that stays while it is free. On Tails its operator must have agreed.
func (h *Host) prepare(edit func(*state)) error {
	_, err := h.change(func(s *state) error {
		edit(s)
		if h.tails && !s.Agreed {
			return ErrConsent
		}
		for try := 0; !portFree(s.Port); try++ {
			if try > 1000 {
				return errors.New("no free port on loopback for the node")
			}
			s.Port = firstPort + rand.IntN(lastPort-firstPort+1)
		}
		return nil
	})
	return err
}

func portFree(port int) bool {
	if port == 0 {
		return false
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err == nil {
		l.Close()
	}
	return err == nil
}
