package tor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hiddenbackup/core/internal/rundir"
)

const (
	firstPause   = time.Second // before a tor that ended is started again
	longestPause = 30 * time.Second
	healthy      = time.Minute // a tor that lived so long had no trouble starting

	checkWait = 5 * time.Second // a tor that runs answers at once
)

// Kept is a connected tor that takes connections at the same address over
// restarts. All methods may be called from any goroutine.
type Kept struct {
	cfg     Config
	wait    time.Duration
	ready   func(context.Context, *Tor) error
	socks   string
	scratch *rundir.Scratch    // holds the link to the tor of the moment; nil for one that ran already
	quit    context.CancelFunc // nil for one that cannot be followed
	done    chan struct{}

	mu  sync.Mutex
	tor *Tor
	err error // why it is away; nil while it is there
}

// Keep is Start and WaitBootstrapped, for at most wait. Whenever a tor of our own
// ends it starts another, and one that takes commands is waited for, with pauses that grow. ready is called with each one
// that is connected, before others can use it, to give it keys and services; it
// may be nil. ctx bounds only the start. The caller closes it.
func Keep(ctx context.Context, cfg Config, wait time.Duration, ready func(context.Context, *Tor) error) (*Kept, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if ready == nil {
		ready = func(context.Context, *Tor) error { return nil }
	}
	k := &Kept{cfg: cfg, wait: wait, ready: ready}
	if err := k.start(ctx); err != nil {
		return nil, err
	}
	k.socks = k.tor.Socks()
	switch {
	case k.tor.Own():
		// Any might find somebody else's the next time, which has no keys from us.
		k.cfg.Source = Own
		if err := k.makeLink(); err != nil {
			return nil, errors.Join(err, k.tor.Close())
		}
		k.socks = endpoint{"unix", k.path()}.String()
	case k.tor.TakesCommands():
		// It forgets our keys whenever it ends, which on Tails is often.
		k.cfg.Source, k.cfg.Socks, k.cfg.Control = System, k.socks, k.tor.commanded.address
	default:
		return k, nil
	}
	var alive context.Context
	alive, k.quit = context.WithCancel(context.Background())
	k.done = make(chan struct{})
	go k.keep(alive)
	return k, nil
}

// start makes a connected tor the one of the moment.
func (k *Kept) start(ctx context.Context) error {
	t, err := Start(ctx, k.cfg)
	if err != nil {
		return err
	}
	connected, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	if err = t.WaitBootstrapped(connected); err == nil {
		err = k.ready(ctx, t)
	}
	if err == nil && t.commanded != nil {
		err = t.commanded.watch(ctx)
	}
	if err != nil {
		return errors.Join(err, t.Close())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tor = t
	return nil
}

func (k *Kept) makeLink() error {
	parent, err := rundir.Dir(k.cfg.Dir, k.cfg.AllowDisk)
	if err != nil {
		return err
	}
	if k.scratch, err = rundir.NewScratch(parent, runPrefix); err != nil {
		return err
	}
	err = k.link()
	if err == nil && len(k.path()) > maxSocketPath {
		err = badConfig("the path %s is too long for a UNIX socket", k.path())
	}
	if err != nil {
		return errors.Join(err, k.scratch.Close())
	}
	return nil
}

func (k *Kept) path() string { return filepath.Join(k.scratch.Path, socksName) }

// link lets the address lead to the tor of the moment.
func (k *Kept) link() error {
	if k.scratch == nil {
		return nil
	}
	next := k.path() + ".new"
	err := os.Symlink(k.tor.socks.address, next)
	if err == nil {
		err = os.Rename(next, k.path())
	}
	if err != nil {
		return fmt.Errorf("naming tor's address: %w", err)
	}
	return nil
}

// keep starts tor again until ctx ends.
func (k *Kept) keep(ctx context.Context) {
	defer close(k.done)
	pause := firstPause
	for {
		began := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-k.tor.Done():
		}
		if time.Since(began) > healthy {
			pause = firstPause
		}
		k.away(k.tor.Err())
		k.tor.Close()
		for k.err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
			err := k.start(ctx)
			if err == nil {
				if err = k.link(); err != nil {
					err = errors.Join(err, k.tor.Close())
				}
			}
			if ctx.Err() != nil {
				return
			}
			k.away(err)
		}
	}
}

// away notes why tor is away, or that it is back. Only keep calls it, and only
// there may err be read without the lock.
func (k *Kept) away(err error) {
	if err != nil {
		k.cfg.Logger.Warn("tor is away", "reason", err)
	} else {
		k.cfg.Logger.Info("tor is back")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Socks is like Tor.Socks, and stays the same over restarts.
func (k *Kept) Socks() string { return k.socks }

// TakesCommands is like Tor.TakesCommands.
func (k *Kept) TakesCommands() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tor.TakesCommands()
}

// Check is why tor is away, and nil if it is there.
func (k *Kept) Check(ctx context.Context) error {
	k.mu.Lock()
	t, err := k.tor, k.err
	k.mu.Unlock()
	if err != nil {
		return err
	}
	if t.Own() || t.Err() != nil {
		return t.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	return checkSocks(ctx, t.socks)
}

// Status is how far the tor of the moment is.
func (k *Kept) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tor.Status()
}

// Close is Tor.Close. Keep's caller calls it once.
func (k *Kept) Close() error {
	if k.quit != nil {
		k.quit()
		<-k.done
	}
	err := k.tor.Close()
	if k.scratch != nil {
		err = errors.Join(err, k.scratch.Close())
	}
	return err
}
