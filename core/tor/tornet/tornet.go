package tornet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

	// A circuit to a rendezvous has three relays, and the other side's three others.
	enoughRelays = 5

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
	lines []string
	nodes []*node
	host  *tor.Tor

	closing sync.Once
	err     error
}

// node is one authority or relay.
type node struct {
	name    string
	dir     string
	orPort  int
	dirPort int    // of authorities
	line    string // of authorities: how others know it
	child   *process.Process
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
	if cfg.Relays < enoughRelays-authorities || cfg.Relays > maxRelays {
		return nil, fmt.Errorf("a private Tor network of %d relays: at least %d and at most %d are possible",
			cfg.Relays, enoughRelays-authorities, maxRelays)
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
	n := &Network{nodes: plan(cfg)}
	err := choosePorts(n.nodes)
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

func plan(cfg Config) (nodes []*node) {
	for i := range authorities + cfg.Relays {
		name := fmt.Sprintf("authority%d", i+1)
		if i >= authorities {
			name = fmt.Sprintf("relay%d", i+1-authorities)
		}
		nodes = append(nodes, &node{name: name, dir: filepath.Join(cfg.Dir, name)})
	}
	return nodes
}

func (n *Network) start(ctx context.Context, p programs, cfg Config) error {
	n.lines = []string{"TestingTorNetwork 1"}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, a := range n.nodes[:authorities] {
		group.Go(func() error { return a.makeKeys(groupCtx, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, a := range n.nodes[:authorities] {
		n.lines = append(n.lines, a.line)
	}
	for _, o := range n.nodes {
		if err := o.start(p.tor, n.lines); err != nil {
			return err
		}
	}
	if err := n.waitRelays(ctx); err != nil {
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

func (o *node) start(program string, lines []string) error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	torrc := filepath.Join(o.dir, "torrc")
	if err := os.WriteFile(torrc, o.torrc(lines), 0o600); err != nil {
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

// torrc of an authority makes the votes come as fast as tor allows. The
// votes' interval decides for how long an onion service's announcement
// counts, so later it is slower.
func (o *node) torrc(network []string) []byte {
	lines := append([]string{}, network...)
	lines = append(lines,
		"DataDirectory "+o.dir,
		"Nickname "+o.name,
		"Address 127.0.0.1",
		fmt.Sprintf("ORPort 127.0.0.1:%d", o.orPort),
		"SocksPort 0",
		"AssumeReachable 1",
		"ExitRelay 0",
		"NumCPUs 1", "Log notice file "+o.dir+"/log", "Log notice stdout",
		"__OwningControllerProcess "+fmt.Sprint(os.Getpid()),
	)
	if o.dirPort != 0 {
		lines = append(lines,
			fmt.Sprintf("DirPort 127.0.0.1:%d", o.dirPort),
			"AuthoritativeDirectory 1",
			"V3AuthoritativeDirectory 1",
			"ContactInfo nobody@example.org",
			"TestingV3AuthInitialVotingInterval 5",
			"TestingV3AuthInitialVoteDelay 2",
			"TestingV3AuthInitialDistDelay 2",
			"V3AuthVotingInterval 20",
			"V3AuthVoteDelay 2",
			"V3AuthDistDelay 2",
			"V3AuthNIntervalsValid 30", // also for a machine that was asleep
			"TestingDirAuthVoteGuard *",
			"TestingDirAuthVoteHSDir *",
		)
	}
	return []byte(strings.Join(lines, "\n") + "\n")
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
		var group sync.WaitGroup
		for _, o := range n.nodes {
			if o.child != nil {
				group.Add(1)
				go func() {
					defer group.Done()
					o.child.Stop()
				}()
			}
		}
		group.Wait()
	})
	return n.err
}
