package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/tahoeclient"
)

// ErrGaveUp means that a node ended several times in a row and is no longer restarted.
var ErrGaveUp = process.ErrGaveUp

// State is a phase of a gateway's life and, if something went wrong, the reason.
type State = process.State

// The phases of a State.
const (
	Starting   = process.Starting
	Ready      = process.Ready
	Restarting = process.Restarting
	Failed     = process.Failed
	Stopped    = process.Stopped
)

const incidentInterval = 30 * time.Second

// wrapper runs a gateway's tahoe and then removes its node directory, even if
// we are gone by then. The signals are for tahoe; the shell outlives them.
const wrapper = `umask 077; trap : HUP INT TERM; "$@"; status=$?; rm -rf -- "$0"; exit "$status"`

// Gateway is a running gateway. All methods may be called from any goroutine.
type Gateway struct {
	dir        *nodeDir
	supervisor *process.Supervisor
	quit       chan struct{}
	closing    sync.Once
	closed     sync.WaitGroup
	closeErr   error
}

// StartGateway starts a gateway and returns when its web API answers; storage
// servers connect afterwards. ctx bounds only the start. A gateway that dies
// is started again at the same socket. The caller closes it.
func StartGateway(ctx context.Context, cfg GatewayConfig) (*Gateway, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	tahoe, err := FindTahoe()
	if err != nil {
		return nil, err
	}
	parent, err := RuntimeDir(cfg.Dir, cfg.AllowDisk)
	if err != nil {
		return nil, err
	}
	if err := sweep(parent); err != nil {
		return nil, err
	}
	dir, err := newNodeDir(parent)
	if err != nil {
		return nil, err
	}
	g := &Gateway{dir: dir, quit: make(chan struct{})}
	g.supervisor, err = process.Supervise(ctx, process.Spec{
		Name:    "the gateway",
		Prepare: func() (process.Config, error) { return prepareGateway(dir, tahoe, cfg) },
		Ready:   func(ctx context.Context) error { return waitAnswer(ctx, dir.socket()) },
		Clean:   func() { g.closeErr = dir.remove() },
		Logger:  cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the gateway: %w", startFailure(tahoe, err))
	}
	g.closed.Add(1)
	go g.tidy()
	return g, nil
}

// prepareGateway writes a fresh node directory and says how to run it.
func prepareGateway(dir *nodeDir, tahoe string, cfg GatewayConfig) (process.Config, error) {
	if err := dir.make(); err != nil {
		return process.Config{}, err
	}
	files := map[string][]byte{
		"tahoe-client.tac": nil, // only its name matters
		"tahoe.cfg":        gatewayINI(cfg, dir.socket()),
	}
	if len(cfg.Servers) > 0 {
		files["private/servers.yaml"] = serversYAML(cfg.Servers)
	}
	if len(cfg.Introducers) > 0 {
		files["private/introducers.yaml"] = introducersYAML(cfg.Introducers)
	}
	if cfg.LeaseSecret != (Secret{}) {
		files["private/secret"] = secretFile(cfg.LeaseSecret)
	}
	if cfg.Convergence != (Secret{}) {
		files["private/convergence"] = secretFile(cfg.Convergence)
	}
	if err := writeFiles(dir.path, files); err != nil {
		return process.Config{}, err
	}
	return process.Config{
		Name: "the gateway",
		Argv: append([]string{"/bin/sh", "-c", wrapper, dir.path}, runArguments(tahoe, dir.path)...),
		Env:  process.Environment(dir.path, filepath.Join(dir.path, "tmp")),
		// Whoever inherits the lock holds it: a sweep spares the directory
		// until the last of us is gone.
		Files: []*os.File{dir.lock},
	}, nil
}

// runArguments run a node with its log silenced.
func runArguments(tahoe, dir string) []string {
	return []string{tahoe, "run", dir, "--logger=twisted.logger.LogPublisher"}
}

// waitAnswer returns when the web API answers.
func waitAnswer(ctx context.Context, socket string) error {
	client := tahoeclient.New(socket, tahoeclient.Options{})
	defer client.Close()
	return poll(ctx, 50*time.Millisecond, func() (bool, error) {
		if _, err := os.Lstat(socket); err != nil {
			return false, nil
		}
		_, err := client.Grid(ctx)
		return err == nil, nil
	})
}

// poll asks until the answer is yes, an error, or ctx ends.
func poll(ctx context.Context, every time.Duration, ask func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// startFailure finds the missing Python module in a node's last words.
func startFailure(tahoe string, err error) error {
	var exit *process.ExitError
	if errors.As(err, &exit) {
		for _, line := range exit.Lines {
			if missing := missingModule(tahoe, line); missing != nil {
				return missing
			}
		}
	}
	return err
}

func (g *Gateway) tidy() {
	defer g.closed.Done()
	tick := time.NewTicker(incidentInterval)
	defer tick.Stop()
	for {
		select {
		case <-g.quit:
			return
		case <-tick.C:
			removeIncidents(g.dir.path)
		}
	}
}

// Socket is the path of the web API, the same over restarts.
func (g *Gateway) Socket() string { return g.dir.socket() }

// Dir is the node directory. It is removed and made again at a restart.
func (g *Gateway) Dir() string { return g.dir.path }

// State is how the gateway is doing.
func (g *Gateway) State() State { return g.supervisor.State() }

// WaitServers returns as soon as n or more storage servers are usable, or
// when ctx ends or the gateway was given up. It returns how many there were when
// the gateway answered last.
func (g *Gateway) WaitServers(ctx context.Context, n int) (usable int, err error) {
	return waitServers(ctx, g.Socket(), n, func() error {
		if state := g.State(); state.Phase == Failed {
			return state.Reason
		}
		return nil
	})
}

func waitServers(ctx context.Context, socket string, n int, failed func() error) (usable int, err error) {
	client := tahoeclient.New(socket, tahoeclient.Options{})
	defer client.Close()
	err = poll(ctx, 100*time.Millisecond, func() (bool, error) {
		if err := failed(); err != nil {
			return false, err
		}
		grid, err := client.Grid(ctx)
		if err != nil {
			return false, nil // a restarting gateway does not answer for a while
		}
		usable = grid.Usable()
		return usable >= n, nil
	})
	if err != nil {
		err = fmt.Errorf("waiting for %d storage servers, %d are usable: %w", n, usable, err)
	}
	return usable, err
}

// Close stops the gateway and removes everything it had. It may be called again.
func (g *Gateway) Close() error {
	g.closing.Do(func() {
		close(g.quit)
		g.supervisor.Stop()
		g.closed.Wait()
		if g.closeErr != nil {
			g.closeErr = fmt.Errorf("removing the node directory: %w", g.closeErr)
		}
	})
	return g.closeErr
}
