package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor"
)

// stopWait is enough for tor and the node to end, and to kill them if they hang.
const stopWait = 40 * time.Second

// hopeless is how many attempts may fail before nobody waits any more.
const hopeless = 3

// Risk is what an operator on Tails has to agree to before the first Enable;
// empty elsewhere, and where it was agreed to.
func (h *Host) Risk() (string, error) {
	if !h.tails {
		return "", nil
	}
	if dir, there := h.dir(); there {
		s, err := load(dir)
		if err != nil || s.Agreed {
			return "", err
		}
	}
	return `Tails forgets tor's entry guards with every session, so each session enters the
Tor network somewhere else. That is harmless for a visitor. An onion service that
runs for days, session after session, sooner or later enters through a relay of
somebody who watches, and who can then see that the service is here: the longer
it runs and the oftener it starts, the likelier. A computer with Debian that stays
on keeps its entries, and is the better host.

Who is invited learns when this computer is on.`, nil
}

// possible fails where the service cannot run: without its programs, or on a
// Tails whose tor takes no commands from us.
func (h *Host) possible(ctx context.Context) error {
	if _, err := node.FindTahoe(); err != nil {
		return err
	}
	if !h.tails {
		_, err := tor.FindTor()
		return err
	}
	t, err := h.startTor(ctx, nil)
	if err != nil {
		return err
	}
	return t.Close()
}

// systemTor is the only one that may use the network on Tails.
var systemTor = tor.Config{Source: tor.System}

// startTor starts a tor of our own or, on Tails, finds the one that runs. The
// caller closes it.
func (h *Host) startTor(ctx context.Context, s *state) (*tor.Tor, error) {
	if h.tails {
		t, err := tor.Start(ctx, systemTor)
		if err == nil && !t.TakesCommands() {
			return nil, ErrTails
		}
		return t, err
	}
	return tor.Start(ctx, tor.Config{
		Source: tor.Own, Bridges: s.Bridges, Private: s.Private, Logger: h.cfg.Logger,
		// A service that chose new entries at every start would meet a hostile one soon.
		Guards: filepath.Join(h.Directory(), guardsName),
	})
}

// Enable starts the service in the background, where it outlives this
// process, and returns when it is published, or after wait with how far it is.
// When ctx ends it is stopped again. agreed says that the operator knows Risk.
func (h *Host) Enable(ctx context.Context, agreed bool, wait time.Duration) (Status, error) {
	if err := h.possible(ctx); err != nil {
		return Status{}, err
	}
	if h.Running() {
		return Status{}, node.ErrAlreadyRunning
	}
	dir, there := h.dir()
	err := h.prepare(func(s *state) {
		s.Agreed = s.Agreed || agreed
		s.Bridges, s.Private = h.cfg.Bridges, h.cfg.Private
	})
	if err != nil {
		return Status{}, err
	}
	v, err := h.values()
	if err != nil {
		return Status{}, err
	}
	var p spawned // of systemd's process we know nothing: stop finds it
	if v.on(optAutostart) {
		err = h.unit("enable", "--now")
	} else {
		p, err = h.spawn()
	}
	if err == nil {
		err = h.awaitPublished(ctx, wait, p)
	}
	if err != nil {
		var serr error
		if p.stop() || v.on(optAutostart) { // what another Enable started meanwhile goes on
			_, serr = h.stop()
		}
		if serr == nil && !there && dir == h.memory && !h.Running() {
			serr = rundir.RemoveAll(dir) // it is of this attempt; an older one holds more
		}
		return Status{}, errors.Join(err, serr)
	}
	return h.Status()
}

var errWaited = errors.New("waited long enough")

// awaitPublished returns when the service is published, when wait is over or
// hope is lost; and with an error when it ended or ctx did.
func (h *Host) awaitPublished(ctx context.Context, wait time.Duration, p spawned) error {
	waiting, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	for {
		err := h.await(waiting, func(n note) bool { return n.Published || n.Attempts > hopeless })
		switch {
		case err == nil, errors.Is(err, errWaited):
			return nil
		case errors.Is(err, ErrNotRunning):
			// Not yet, or not any more.
			if err := p.early(); err != nil {
				return err
			}
			select {
			case <-waiting.Done():
			case <-time.After(lookEvery / 5):
				continue
			}
			if ctx.Err() == nil {
				return ErrEarly
			}
		}
		return context.Cause(ctx)
	}
}

// spawned is the process that runs the service, as long as we are its parent.
type spawned struct {
	cmd   *exec.Cmd // nil if it is not ours
	words *os.File  // what it wrote to its standard error
	ended <-chan struct{}
}

// early says why it ended, if it did.
func (p spawned) early() error {
	if p.cmd == nil {
		return nil
	}
	select {
	case <-p.ended:
	default:
		return nil
	}
	said := make([]byte, 2000)
	n, _ := p.words.ReadAt(said, 0)
	return fmt.Errorf("%w (%s): %s", ErrEarly, p.cmd.ProcessState, strings.TrimSpace(string(said[:n])))
}

// stop also stops one that has not come as far as Disable can see. It reports
// whether it was running.
func (p spawned) stop() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopWait):
		p.cmd.Process.Kill()
		<-p.ended
	}
	return true
}

// spawn starts the process, in a session of its own.
func (h *Host) spawn() (p spawned, err error) {
	argv := h.cfg.Program
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return p, fmt.Errorf("finding this program: %w", err)
		}
		argv = []string{self, "host", "run", "--service", h.Service.Name}
	}
	// A file and no pipe: nobody reads it once we have ended.
	p.words, err = os.CreateTemp(filepath.Dir(h.memory), "host-")
	if err != nil {
		return p, fmt.Errorf("starting the service: %w", err)
	}
	os.Remove(p.words.Name())
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = "/", environment(), p.words
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		p.words.Close()
		return p, fmt.Errorf("starting the service: %w", err)
	}
	ended := make(chan struct{})
	go func() { // reaped when it ends, in case we live that long
		defer close(ended)
		cmd.Wait()
	}()
	p.cmd, p.ended = cmd, ended
	return p, nil
}

// environment is what finding programs and directories needs.
func environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME",
		"XDG_CONFIG_HOME", "XDG_DATA_HOME", node.TahoeVariable, tor.TorVariable} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Disable stops the service and returns when nothing of it runs. A state that
// does not persist is removed. ErrNotRunning means that there was nothing to
// do, ErrReturns that it did all but keep systemd from starting it again.
func (h *Host) Disable() error {
	dir, there := h.dir()
	did, err := h.stop()
	if err != nil && !errors.Is(err, ErrReturns) {
		return err
	}
	if there && dir == h.memory {
		return errors.Join(err, rundir.RemoveAll(dir))
	}
	if err == nil && !did {
		return ErrNotRunning
	}
	return err
}

// stop ends the process, whoever started it, also for the next login. did
// reports whether there was something to do. Of the errors only ErrReturns
// means that nothing runs any more.
func (h *Host) stop() (did bool, err error) {
	running := h.Running() // before systemd ends it
	was, returns := h.cancelAutostart("--now")
	if h.Running() {
		ctx, cancel := context.WithTimeoutCause(context.Background(), stopWait, errors.New("the process that runs the service is not found"))
		defer cancel()
		if err := h.await(ctx, func(note) bool { return true }); err != nil && !errors.Is(err, ErrNotRunning) {
			return true, err
		}
		if n, ok := h.readNote(); ok {
			if err := n.Keeper.Stop(stopWait); err != nil {
				return true, err
			}
		}
	}
	h.removeNote() // a process that was killed could not
	if returns != nil {
		returns = fmt.Errorf("%w: %w", ErrReturns, returns)
	}
	return running || was, returns
}
