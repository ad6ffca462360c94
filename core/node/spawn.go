package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// order is what a keeper is to do. It holds secrets, so it travels through
// the keeper's standard input and nowhere else.
type order struct {
	ID       string          `json:"id,omitempty"`
	Gateway  *GatewayConfig  `json:"gateway,omitempty"`
	Practice *PracticeConfig `json:"practice,omitempty"`
	Tor      json.RawMessage `json:"tor,omitempty"` // for the Connector
}

// Connector is what a keeper has of tor: this package knows none. What both
// calls return is let go with close.
type Connector interface {
	// Connect returns where a connected tor takes connections. settings are
	// those SpawnKeeper got.
	Connect(ctx context.Context, settings json.RawMessage) (socks string, close func() error, err error)

	// Onion makes onion services for a practice grid in dir possible.
	Onion(ctx context.Context, dir string) (onion *Onion, close func() error, err error)

	// Kind numbers an error, so that whoever spawned the keeper knows it again.
	Kind(err error) int
}

// KeeperError is why a keeper ended before it was ready.
type KeeperError struct {
	Text string
	Kind int // the Connector's
}

func (e *KeeperError) Error() string { return e.Text }

// report is the keeper's one answer, on the descriptor reportFD.
type report struct {
	Attached *Attached `json:"attached,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	Kind     int       `json:"kind,omitempty"`    // of the problem: see Connector
	Running  bool      `json:"running,omitempty"` // the problem is ErrAlreadyRunning
}

const reportFD = 3

const torVariable = "HIDDEN_BACKUP_TOR" // as package tor has it

// SpawnKeeper starts a process that keeps a gateway under that id, and
// returns when the gateway answers. argv is the program, usually ourselves,
// with the hidden command that calls RunKeeper. The keeper is detached from
// the terminal; ctx bounds only its start. With a network over Tor the keeper
// gives the settings to its Connector, and the gateway what that returns.
func SpawnKeeper(ctx context.Context, argv []string, id string, cfg GatewayConfig, settings json.RawMessage) (*Attached, error) {
	// What can be found wrong here keeps its type; from the keeper only text comes back.
	if err := errors.Join(checkID(id), cfg.checkGrid()); err != nil {
		return nil, err
	}
	if _, err := RuntimeDir(cfg.Dir, cfg.AllowDisk); err != nil {
		return nil, err
	}
	if _, err := FindTahoe(); err != nil {
		return nil, err
	}
	var err error
	if cfg.Dir != "" { // the keeper works elsewhere
		cfg.Dir, err = filepath.Abs(cfg.Dir)
	}
	if err != nil {
		return nil, err
	}
	return spawn(ctx, argv, order{ID: id, Gateway: &cfg, Tor: settings})
}

// RunKeeper is the keeper: it reads its order from standard input, reports
// once to the process that spawned it, and works until ctx ends. End ctx at SIGTERM.
func RunKeeper(ctx context.Context, tor Connector) error {
	syscall.CloseOnExec(reportFD)
	pipe := os.NewFile(reportFD, "report")
	defer pipe.Close()
	var o order
	if err := json.NewDecoder(io.LimitReader(os.Stdin, 4<<20)).Decode(&o); err != nil {
		return errors.New("this command is started by others only; it found no order on standard input")
	}
	ready := func(a *Attached) error {
		// Without anybody waiting, nobody would know of us.
		err := json.NewEncoder(pipe).Encode(report{Attached: a})
		pipe.Close()
		return err
	}
	var err error
	switch {
	case o.Gateway != nil:
		err = keepWithTor(ctx, tor, o, ready)
	case o.Practice != nil:
		err = keepPractice(ctx, *o.Practice, tor, ready)
	default:
		err = errors.New("the order names nothing to keep")
	}
	if err != nil {
		// Too late for the report if it was sent; then the pipe is closed.
		json.NewEncoder(pipe).Encode(report{Problem: err.Error(), Kind: kindOf(tor, err), Running: errors.Is(err, ErrAlreadyRunning)})
	}
	return err
}

func kindOf(tor Connector, err error) int {
	if tor == nil {
		return 0
	}
	return tor.Kind(err)
}

// keepWithTor keeps a gateway and, if it needs one, the tor before it.
func keepWithTor(ctx context.Context, tor Connector, o order, ready func(*Attached) error) (err error) {
	cfg := *o.Gateway
	if cfg.Network.overTor() && cfg.TorSocks == "" {
		var close func() error
		if cfg.TorSocks, close, err = tor.Connect(ctx, o.Tor); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, close()) }()
	}
	return keepGateway(ctx, o.ID, cfg, ready)
}

func spawn(ctx context.Context, argv []string, o order) (*Attached, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	keeper, orders, reports, err := startKeeper(argv)
	if err != nil {
		return nil, fmt.Errorf("starting the keeper: %w", err)
	}
	// Reaped when it ends, in case we live that long.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		keeper.Wait()
	}()
	go func() {
		defer orders.Close()
		orders.Write(data)
	}()
	unhook := context.AfterFunc(ctx, func() { stopKeeper(keeper.Process, ended) })
	defer unhook()
	defer reports.Close()
	var r report
	err = json.NewDecoder(io.LimitReader(reports, 1<<20)).Decode(&r)
	switch {
	case ctx.Err() != nil:
		<-ended
		return nil, context.Cause(ctx)
	case err != nil:
		<-ended
		return nil, fmt.Errorf("the keeper ended before it was ready (%s)", keeper.ProcessState)
	case r.Running:
		<-ended
		return nil, ErrAlreadyRunning
	case r.Problem != "":
		<-ended
		return nil, &KeeperError{r.Problem, r.Kind}
	}
	return r.Attached, nil
}

// stopKeeper is for our own child; a keeper of others is stopped by its Identity.
func stopKeeper(keeper *os.Process, ended <-chan struct{}) {
	keeper.Signal(syscall.SIGTERM)
	patience := time.NewTimer(stopWait)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		keeper.Kill()
	}
}

// startKeeper gives it a session of its own, and nothing of ours but two pipes.
func startKeeper(argv []string) (cmd *exec.Cmd, orders, reports *os.File, err error) {
	orderEnd, orders, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer orderEnd.Close()
	reports, reportEnd, err := os.Pipe()
	if err != nil {
		orders.Close()
		return nil, nil, nil, err
	}
	defer reportEnd.Close()
	cmd = exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = keeperEnvironment()
	cmd.Stdin = orderEnd
	cmd.ExtraFiles = []*os.File{reportEnd}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		orders.Close()
		reports.Close()
		return nil, nil, nil, err
	}
	return cmd, orders, reports, nil
}

// keeperEnvironment is what finding tahoe and directories needs.
func keeperEnvironment() []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", TahoeVariable, torVariable,
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
