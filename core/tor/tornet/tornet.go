package tornet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/tor"
)

const (
	authorities   = 3
	defaultRelays = 4
	maxRelays     = 40

	// A circuit has three relays and must not come back to the one before.
	minRelays = 2

	startAttempts = 3 // a port that was free may be taken a moment later
)

// ErrNoTor means that tor or its tor-gencert, without which there are no
// authorities, is not installed.
var ErrNoTor = errors.New("a private Tor network needs tor and tor-gencert")

// Config says what network to run.
type Config struct {
	// Dir holds all of it. It is made if missing and must be ours alone. Its
	// path must leave room for sockets: at most 70 bytes.
	Dir string

	// Relays is how many there are beside the three authorities, which are
	// relays as well. Zero means 4.
	Relays int

	Logger *slog.Logger // nil means silence
}

// Network is a running network. All methods may be called from any goroutine.
type Network struct {
	lines  []string
	guards []string // fingerprints

	firstVote time.Time
	nodes     []*node
	host      *tor.Tor

	closing sync.Once
	err     error
}

// node is one authority or relay.
type node struct {
	name    string
	dir     string
	orPort  int
	dirPort int // of authorities; others have none
	child   *process.Process

	fingerprint string
	line        string // of authorities: how others know it
}

// programs are what the network is made with.
type programs struct{ tor, gencert string }

func findPrograms() (p programs, err error) {
	p.tor, err = tor.FindTor()
	if err == nil {
		p.gencert, err = exec.LookPath("tor-gencert")
	}
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrNoTor, err)
	}
	return p, nil
}

// Available reports, as an ErrNoTor, what is missing to run a network.
func Available() error {
	_, err := findPrograms()
	return err
}

// Start returns when the network can be used. It ends with us, however we
// end. ctx bounds only the start. The caller closes it, and owns Dir.
func Start(ctx context.Context, cfg Config) (*Network, error) {
	p, err := findPrograms()
	if err != nil {
		return nil, err
	}
	if cfg.Relays == 0 {
		cfg.Relays = defaultRelays
	}
	if cfg.Relays < minRelays || cfg.Relays > maxRelays {
		return nil, fmt.Errorf("a private Tor network of %d relays: at least %d and at most %d are possible",
			cfg.Relays, minRelays, maxRelays)
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	if err := rundir.Private(cfg.Dir); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for attempt := 1; ; attempt++ {
		n, err := startOnce(ctx, p, cfg)
		if err == nil || attempt == startAttempts || !portTaken(err) {
			return n, err
		}
	}
}

func startOnce(ctx context.Context, p programs, cfg Config) (*Network, error) {
	began := time.Now()
	nodes, err := plan(cfg)
	n := &Network{nodes: nodes}
	if err == nil {
		err = n.start(ctx, p, cfg)
	}
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("starting the private Tor network: %w", err)
	}
	cfg.Logger.Info("private Tor network started", "relays", len(n.nodes), "took", time.Since(began))
	return n, nil
}

// plan names the nodes. Nothing is left of earlier ones.
func plan(cfg Config) (nodes []*node, err error) {
	for i := range authorities + cfg.Relays {
		name := fmt.Sprintf("authority%d", i+1)
		if i >= authorities {
			name = fmt.Sprintf("relay%d", i+1-authorities)
		}
		o := &node{name: name, dir: filepath.Join(cfg.Dir, name)}
		if err := os.RemoveAll(o.dir); err != nil {
			return nil, err
		}
		nodes = append(nodes, o)
	}
	return nodes, choosePorts(nodes)
}

func (n *Network) start(ctx context.Context, p programs, cfg Config) error {
	if err := n.makeKeys(ctx, p); err != nil {
		return err
	}
	n.firstVote = time.Now().Add(untilFirstVote)
	if err := n.run(p.tor, n.nodes...); err != nil {
		return err
	}
	if err := n.waitConsensus(ctx, n.nodes[:authorities]); err != nil {
		return err
	}
	// While there was no consensus the relays asked for it more and more
	// rarely. One that is started anew, and knows nothing, asks at once.
	relays := n.nodes[authorities:]
	stop(relays)
	for _, o := range relays {
		if err := o.forget(); err != nil {
			return err
		}
	}
	if err := n.run(p.tor, relays...); err != nil {
		return err
	}
	if err := n.waitConsensus(ctx, n.nodes); err != nil {
		return err
	}
	var err error
	n.host, err = tor.Start(ctx, tor.Config{
		Source: tor.Own, Dir: filepath.Join(cfg.Dir, "host"), AllowDisk: true,
		Private: n.lines, Logger: cfg.Logger,
	})
	if err != nil {
		return err
	}
	return n.host.WaitBootstrapped(ctx)
}

// makeKeys makes the keys of all nodes, and what one knows of the others.
func (n *Network) makeKeys(ctx context.Context, p programs) error {
	group, groupCtx := errgroup.WithContext(ctx)
	for _, o := range n.nodes {
		group.Go(func() error { return o.makeKeys(groupCtx, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	n.lines = []string{"TestingTorNetwork 1"}
	measurements := fmt.Sprintf("%d\n", time.Now().Unix())
	for _, o := range n.nodes {
		if o.line != "" {
			n.lines = append(n.lines, o.line)
		} else {
			n.guards = append(n.guards, o.fingerprint)
		}
		measurements += fmt.Sprintf("node_id=$%s bw=%s\n", o.fingerprint, measured)
	}
	for _, o := range n.nodes {
		if err := os.WriteFile(filepath.Join(o.dir, measuredName), []byte(measurements), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) run(program string, nodes ...*node) error {
	for _, o := range nodes {
		if err := o.start(program, n.torrc(o)); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the processes of nodes that have one.
func stop(nodes []*node) {
	var group sync.WaitGroup
	for _, o := range nodes {
		if o.child != nil {
			group.Add(1)
			go func() {
				defer group.Done()
				o.child.Stop()
			}()
		}
	}
	group.Wait()
}

func (o *node) start(program string, config []byte) error {
	torrc := filepath.Join(o.dir, "torrc")
	if err := os.WriteFile(torrc, config, 0o600); err != nil {
		return err
	}
	var err error
	o.child, err = process.Start(process.Config{
		Name:     o.name,
		Argv:     []string{program, "--defaults-torrc", "/dev/null", "-f", torrc},
		Env:      process.Environment(o.dir, o.dir),
		StopWait: 3 * time.Second,
		// It has nothing to tidy up, and nothing to lose.
		DeathSignal: killed,
	})
	return err
}

// ClientConfig are the lines with which a tor of package tor joins this network.
func (n *Network) ClientConfig() []string { return append([]string(nil), n.lines...) }

// Host is the network's own tor, for onion services.
func (n *Network) Host() *tor.Tor { return n.host }

// OnionService offers what listens on a local port as an onion service,
// locked to those clients if any are named, and returns its address. It can
// be reached some seconds later.
func (n *Network) OnionService(ctx context.Context, localPort, port int, clients ...string) (address string, err error) {
	address, _, err = n.host.AddOnion(ctx, tor.OnionService{LocalPort: localPort, Port: port, Clients: clients})
	return address, err
}

// Err is how one of the network's processes ended; nil while all of them live.
func (n *Network) Err() error {
	for _, o := range n.nodes {
		if o.child == nil {
			continue
		}
		select {
		case <-o.child.Done():
			return o.child.Err()
		default:
		}
	}
	if n.host != nil {
		return n.host.Err()
	}
	return nil
}

// Close ends the network. Dir stays. It may be called again.
func (n *Network) Close() error {
	n.closing.Do(func() {
		if n.host != nil {
			n.err = n.host.Close()
		}
		stop(n.nodes)
	})
	return n.err
}
