package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/internal/rundir"
)

// ErrNoPractice means that there is no practice grid in that directory, or that none is running.
var ErrNoPractice = errors.New("no practice grid")

const (
	defaultNodes = 6
	maxNodes     = 40
	gridFile     = "grid.json"
)

// PracticeConfig says what practice grid to run. The zero value works.
type PracticeConfig struct {
	// Dir holds the grid and its data, for as long as the directory is kept.
	// Empty means hidden-backup/practice among the user's data.
	Dir string `json:"dir"`

	// Nodes is how many storage nodes. Zero means those that are there
	// already, or 6. A grid can grow, not shrink.
	Nodes int `json:"nodes"`

	// Needed, Happy and Total are for the manifests made from this grid. Zero
	// means what the grid had, or else: half of the nodes needed, all nodes in
	// total, and happy half way between.
	Needed int `json:"needed"`
	Happy  int `json:"happy"`
	Total  int `json:"total"`

	// Onions puts all nodes behind onion services. A grid stays what it was.
	Onions bool `json:"onions"`

	// Onion makes the onion services. Needed with Onions.
	Onion *Onion `json:"-"`

	connector Connector // makes Onion, in a keeper

	Logger *slog.Logger `json:"-"` // nil means silence
}

// Grid describes a grid to those who make a manifest for it.
type Grid struct {
	Network     Network      `json:"network"`
	Introducers []Introducer `json:"introducers"`
	Servers     []Server     `json:"servers"`
	Needed      int          `json:"needed"`
	Happy       int          `json:"happy"`
	Total       int          `json:"total"`
}

// Gateway is the configuration of a gateway to this grid.
func (g Grid) Gateway() GatewayConfig {
	return GatewayConfig{
		Network: g.Network, Introducers: g.Introducers, Servers: g.Servers,
		Needed: g.Needed, Happy: g.Happy, Total: g.Total,
	}
}

// Practice is a running practice grid: an introducer and storage nodes on
// loopback. Storage nodes are numbered from 0. All methods may be called from
// any goroutine.
type Practice struct {
	dir   string
	lock  *os.File
	log   *slog.Logger
	tahoe string

	introducer *practiceNode
	nodes      []*practiceNode

	closeOnions func() error // nil if it is not ours to close

	mu   sync.Mutex
	grid Grid
}

// PracticeDir is where a practice grid is: dir, or the default if that is empty.
func PracticeDir(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("choosing a directory for the practice grid: %w", err)
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "hidden-backup", "practice"), nil
}

// StartPractice starts a practice grid and returns when all nodes answer. It
// dies with its owner; what it stores stays, and a grid started again in the
// same directory has the same nodes. ctx bounds only the start. The caller closes it.
func StartPractice(ctx context.Context, cfg PracticeConfig) (*Practice, error) {
	tahoe, err := FindTahoe()
	if err != nil {
		return nil, err
	}
	dir, err := PracticeDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("making the practice grid's directory: %w", err)
	}
	if err := rundir.Private(dir); err != nil {
		return nil, err
	}
	lock, err := LockPractice(dir)
	if err != nil {
		return nil, alreadyRunning("locking the practice grid", err)
	}
	p := &Practice{dir: dir, lock: lock, tahoe: tahoe, log: cfg.Logger}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := p.plan(cfg); err != nil {
		rundir.Unlock(lock)
		return nil, err
	}
	if cfg.Onions {
		err = p.offer(ctx, cfg)
	}
	if err == nil {
		err = p.startAll(ctx)
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("starting the practice grid: %w", startFailure(tahoe, err))
	}
	return p, nil
}

// plan decides how many nodes there are and on which ports.
func (p *Practice) plan(cfg PracticeConfig) error {
	before, err := readGrid(p.dir)
	if err != nil && !errors.Is(err, ErrNoPractice) {
		return err
	}
	count := firstOf(cfg.Nodes, len(before.Servers), defaultNodes)
	if count < len(before.Servers) || count < 1 || count > maxNodes {
		return badConfig("a practice grid of %d nodes in a directory that has %d; at most %d are possible",
			count, len(before.Servers), maxNodes)
	}
	network := Loopback
	if cfg.Onions {
		network = Tor
	}
	if before.Network != "" && before.Network != network {
		return badConfig("the practice grid in %s is of the network %s; it cannot become another: name a new directory", p.dir, before.Network)
	}
	p.grid = Grid{Network: network, Needed: cfg.Needed, Happy: cfg.Happy, Total: cfg.Total}
	if len(before.Servers) == count {
		p.grid.Needed = firstOf(cfg.Needed, before.Needed)
		p.grid.Happy = firstOf(cfg.Happy, before.Happy)
		p.grid.Total = firstOf(cfg.Total, before.Total)
	}
	p.grid.Total = firstOf(p.grid.Total, count)
	p.grid.Needed = firstOf(p.grid.Needed, max(1, p.grid.Total/2))
	p.grid.Happy = firstOf(p.grid.Happy, p.grid.Needed+(p.grid.Total-p.grid.Needed+1)/2)
	if p.grid.Needed < 1 || p.grid.Happy < p.grid.Needed || p.grid.Total < p.grid.Happy || p.grid.Total > count {
		return badConfig("needed/happy/total is %d/%d/%d, and must rise from at least 1 to at most the %d nodes",
			p.grid.Needed, p.grid.Happy, p.grid.Total, count)
	}
	p.introducer = newIntroducer(filepath.Join(p.dir, "introducer"))
	for i := range count {
		name := fmt.Sprintf("node-%d", i+1)
		p.nodes = append(p.nodes, newStorageNode(name, filepath.Join(p.dir, name)))
	}
	return choosePorts(p.all(), before.Ports)
}

func (p *Practice) all() []*practiceNode {
	return append([]*practiceNode{p.introducer}, p.nodes...)
}

func firstOf(values ...int) int {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}

func (p *Practice) startAll(ctx context.Context) error {
	began := time.Now()
	started := &upCount{path: filepath.Join(p.dir, startFile), of: len(p.nodes)}
	started.add(0)
	defer os.Remove(started.path)
	if err := p.introducer.start(ctx, p.tahoe, ""); err != nil {
		return err
	}
	furl, err := p.introducer.furl()
	if err != nil {
		return err
	}
	p.grid.Introducers = []Introducer{{Name: "practice", Furl: furl}}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU()) // a starting node is all processor
	for _, n := range p.nodes {
		group.Go(func() error {
			err := n.start(groupCtx, p.tahoe, p.introducerFurl())
			if err == nil {
				started.add(1)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.log.Info("practice grid started", "nodes", len(p.nodes), "took", time.Since(began))
	return p.describe()
}

// describe reads what the nodes say of themselves and writes the grid file.
func (p *Practice) describe() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	servers := make([]Server, 0, len(p.nodes))
	for _, n := range p.nodes {
		server, err := n.server()
		if err != nil {
			return err
		}
		servers = append(servers, server)
	}
	p.grid.Servers = servers
	return p.note()
}

// note writes the grid file. It is for holders of p.mu.
func (p *Practice) note() error {
	noted := notedGrid{Grid: p.grid, Ports: make(map[string]int)}
	for _, n := range p.all() {
		noted.Ports[n.name] = n.port
	}
	data, err := json.MarshalIndent(noted, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(p.dir, gridFile), append(data, '\n'))
}

// PracticeGrid reads the description of the practice grid in dir (empty: the
// default), running or not, or returns ErrNoPractice. It holds the grid's addresses.
func PracticeGrid(dir string) (Grid, error) {
	dir, err := PracticeDir(dir)
	if err != nil {
		return Grid{}, err
	}
	noted, err := readGrid(dir)
	return noted.Grid, err
}

// notedGrid is the grid file.
type notedGrid struct {
	Grid
	Ports map[string]int `json:"ports"` // on 127.0.0.1, of the nodes by name
}

func readGrid(dir string) (notedGrid, error) {
	var g notedGrid
	data, err := os.ReadFile(filepath.Join(dir, gridFile))
	if errors.Is(err, os.ErrNotExist) {
		return g, fmt.Errorf("%w in %s", ErrNoPractice, dir)
	}
	if err != nil {
		return g, fmt.Errorf("reading the practice grid: %w", err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		return notedGrid{}, fmt.Errorf("reading the practice grid: %s: %w", gridFile, err)
	}
	return g, nil
}

// Grid describes the grid as it is now.
func (p *Practice) Grid() Grid {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grid
}

// introducerFurl is empty if there is no introducer.
func (p *Practice) introducerFurl() string {
	for _, i := range p.Grid().Introducers {
		return i.Furl
	}
	return ""
}

// Servers are the storage nodes, to be pinned.
func (p *Practice) Servers() []Server { return p.Grid().Servers }

// Needed is how many shares restore a file.
func (p *Practice) Needed() int { return p.Grid().Needed }

// Happy is how many servers must take shares of a file.
func (p *Practice) Happy() int { return p.Grid().Happy }

// Total is how many shares are made of a file.
func (p *Practice) Total() int { return p.Grid().Total }

// Dir is the grid's directory.
func (p *Practice) Dir() string { return p.dir }

// NodeDir is the directory of storage node i; its shares are below storage/shares.
func (p *Practice) NodeDir(i int) string { return p.nodes[i].dir }

// Close stops all nodes. What they store stays. It may be called again.
func (p *Practice) Close() error {
	var group sync.WaitGroup
	for _, n := range p.all() {
		group.Add(1)
		go func() {
			defer group.Done()
			n.stop()
		}()
	}
	group.Wait()
	var err error
	if p.closeOnions != nil {
		err, p.closeOnions = p.closeOnions(), nil
	}
	rundir.Unlock(p.lock)
	return err
}
