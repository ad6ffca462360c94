package tor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
)

const (
	runPrefix = "tor-" // of the directories of our own tors

	startWait    = 30 * time.Second // tor takes a fifth of a second
	shutdownWait = 3 * time.Second  // then it is killed
)

// wrapper runs tor and then removes its directory, even if we are gone by
// then. The signals are for tor; the shell outlives them.
const wrapper = `umask 077; trap : HUP INT TERM; "$@"; status=$?; rm -rf -- "$0"; exit "$status"`

// own is a tor of our own.
type own struct {
	dir     *rundir.Scratch
	child   *process.Process
	control controlSocket
	events  *session // owns tor: when this connection ends, tor does
	follow  *follower

	enabling  sync.Mutex
	enabled   bool
	closing   atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

// startOwn returns when tor answers on its control socket, without network.
// On failure nothing is left.
func startOwn(ctx context.Context, program string, cfg Config) (*own, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	parent, err := rundir.Dir(cfg.Dir, cfg.AllowDisk)
	if err != nil {
		return nil, err
	}
	if cfg.Guards != "" {
		if err := rundir.Private(cfg.Guards); err != nil {
			return nil, err
		}
	}
	dir, err := rundir.NewScratch(parent, runPrefix)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	o := &own{dir: dir, control: controlSocket(filepath.Join(dir.Path, controlName))}
	if err := o.start(ctx, program, cfg); err != nil {
		o.close()
		return nil, err
	}
	cfg.Logger.Info("tor started", "took", time.Since(began))
	return o, nil
}

func (o *own) start(ctx context.Context, program string, cfg Config) error {
	torrc, err := renderTorrc(cfg, o.dir.Path)
	if err != nil {
		return err
	}
	path := filepath.Join(o.dir.Path, torrcName)
	if err := os.WriteFile(path, torrc, 0o600); err != nil {
		return fmt.Errorf("configuring tor: %w", err)
	}
	o.child, err = process.Start(process.Config{
		Name: "tor",
		Argv: []string{"/bin/sh", "-c", wrapper, o.dir.Path,
			program, "--defaults-torrc", "/dev/null", "-f", path, "--hush",
			// Until it is owned through its control socket tor looks at times whether we live.
			"__OwningControllerProcess", strconv.Itoa(os.Getpid())},
		Env: process.Environment(o.dir.Path, o.dir.Path),
		// Whoever inherits the lock holds it: a sweep spares the directory
		// until the last of us is gone.
		Files:    []*os.File{o.dir.Lock},
		StopWait: shutdownWait,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if err := o.takeOwnership(ctx); err != nil {
		if ended := o.err(); ended != nil {
			return ended
		}
		return err
	}
	return nil
}

// takeOwnership opens the connection whose end is tor's end, and follows the
// events on it.
func (o *own) takeOwnership(ctx context.Context) error {
	events, err := o.openFirst(ctx)
	if err != nil {
		return err
	}
	o.events = events
	for _, command := range []string{"TAKEOWNERSHIP", "SETEVENTS STATUS_CLIENT STATUS_GENERAL NETWORK_LIVENESS HS_DESC"} {
		if _, err := events.request(ctx, command); err != nil {
			return err
		}
	}
	o.follow = follow(events)
	// What came to pass before anybody listened is told only if asked for.
	lines, err := o.control.request(ctx, "GETINFO status/bootstrap-phase")
	if err != nil {
		return err
	}
	o.follow.begin(lines)
	return nil
}

// openFirst waits until tor made its control socket.
func (o *own) openFirst(ctx context.Context) (*session, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Lstat(string(o.control)); err == nil {
			if s, err := o.control.open(ctx); err == nil {
				return s, nil
			}
		}
		select {
		case <-o.child.Done():
			return nil, o.err()
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("%w: it does not answer: %v", ErrControl, o.child.LastLines())
		case <-tick.C:
		}
	}
}

func (o *own) socks() endpoint { return endpoint{"unix", filepath.Join(o.dir.Path, socksName)} }

func (o *own) enable(ctx context.Context) error {
	o.enabling.Lock()
	defer o.enabling.Unlock()
	if o.enabled {
		return o.err()
	}
	if _, err := o.control.request(ctx, "SETCONF DisableNetwork=0"); err != nil {
		if ended := o.err(); ended != nil {
			return ended
		}
		return err
	}
	o.enabled = true
	return nil
}

func (o *own) waitBootstrapped(ctx context.Context) error {
	for {
		s, changed := o.follow.watch()
		if s.Connected() {
			return nil
		}
		select {
		case <-changed:
		case <-o.child.Done():
			return o.err()
		case <-ctx.Done():
			return s.timeUp(ctx)
		}
	}
}

// err is an ErrEnded once tor ended.
func (o *own) err() error {
	select {
	case <-o.child.Done():
	default:
		return nil
	}
	if o.closing.Load() {
		return fmt.Errorf("%w: it was closed", ErrEnded)
	}
	return fmt.Errorf("%w: %w", ErrEnded, o.child.Err())
}

// close asks tor to end, makes it end if it does not, and removes what it had.
func (o *own) close() error {
	o.closeOnce.Do(func() {
		o.closing.Store(true)
		if o.child != nil {
			o.shutdown()
			o.child.Stop()
		}
		if o.events != nil {
			o.events.conn.Close()
		}
		if o.follow != nil {
			<-o.follow.done
		}
		if err := o.dir.Close(); err != nil {
			o.closeErr = fmt.Errorf("removing tor's directory: %w", err)
		}
	})
	return o.closeErr
}

func (o *own) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
	defer cancel()
	if _, err := o.control.request(ctx, "SIGNAL SHUTDOWN"); err != nil {
		return
	}
	select {
	case <-o.child.Done():
	case <-ctx.Done():
	}
}
