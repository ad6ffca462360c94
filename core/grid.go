package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// Config says how to reach a grid. The zero value works.
type Config struct {
	// Directory is where node directories are made; empty chooses a
	// memory-backed place.
	Directory string
	// AllowDisk accepts a Directory that is not memory-backed.
	AllowDisk bool
	// UploadRate and DownloadRate are bounds in bytes a second; 0 is none.
	UploadRate, DownloadRate int64
	// Wait is how long to wait for enough servers; 0 is DefaultWait.
	Wait time.Duration
	// Logger gets harmless values only; nil discards.
	Logger *slog.Logger
}

const (
	// DefaultWait covers an onion grid on a bad day: tor's own descriptor
	// fetch gives up after a minute and a half.
	DefaultWait = 2 * time.Minute

	// attempts with a wait of one second that doubles: about a minute, enough
	// for a gateway that died to be back with its servers connected.
	attempts = 7

	burst = 256 << 10 // of a rate limit
)

var (
	// ErrTooFewServers: not enough storage servers for what was asked.
	ErrTooFewServers = errors.New("too few storage servers answer")
	// ErrReadOnly: the manifest only allows restoring.
	ErrReadOnly = errors.New("this manifest allows restoring, not backing up")
	// ErrNetwork: the manifest's network is not supported by this version.
	ErrNetwork = errors.New("this version cannot reach a grid of that kind yet")
)

// Access is the opened manifest a Grid works with.
type Access struct {
	reader *manifest.Reader
	owner  *manifest.Manifest // nil when it only allows restoring
	keys   *snapshot.Keys
}

// NewAccess derives the keys of an opened manifest.
func NewAccess(o *manifest.Opened) (*Access, error) {
	r, err := o.NeedReader()
	if err != nil {
		return nil, err
	}
	keys, err := snapshot.NewKeys([32]byte(r.RootSecret.Bytes()))
	if err != nil {
		return nil, err
	}
	return &Access{reader: r, owner: o.Owner, keys: keys}, nil
}

// gatewayID names the gateway that serves this manifest, so that several
// commands find the same one. A manifest of another power or generation may
// need another gateway and gets another name. It tells nothing about either.
func (a *Access) gatewayID() (string, error) {
	config, err := GatewayConfig(Config{}, a)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("naming the gateway: %w", err)
	}
	sum := sha256.Sum256(b)
	id := a.keys.Identity("gateway " + string(sum[:]))
	return hex.EncodeToString(id[:6]), nil
}

// Grid is a connected grid. Status is safe from any goroutine; the operations
// are meant for one at a time.
type Grid struct {
	access  *Access
	gateway *node.Gateway // nil when attached to somebody's
	client  *tahoeclient.Client
	vault   *vault.Vault
	wait    time.Duration
}

// Connect attaches to the gateway that was started for this manifest or starts
// one. It returns as soon as the gateway answers; servers connect in the
// background. ctx bounds the start only. The caller closes the Grid.
func Connect(ctx context.Context, c Config, a *Access, t *progress.Tracker) (*Grid, error) {
	t.SetPhase(progress.PhaseConnect)
	g := &Grid{access: a, wait: c.Wait}
	if g.wait <= 0 {
		g.wait = DefaultWait
	}
	socket := ""
	id, err := a.gatewayID()
	if err != nil {
		return nil, err
	}
	attached, err := node.FindGateway(c.Directory, id)
	switch {
	case err == nil:
		socket = attached.Socket
	case !errors.Is(err, node.ErrNoGateway):
		return nil, err
	default:
		config, err := GatewayConfig(c, a)
		if err != nil {
			return nil, err
		}
		if g.gateway, err = node.StartGateway(ctx, config); err != nil {
			return nil, err
		}
		socket = g.gateway.Socket()
	}
	g.client = tahoeclient.New(socket, tahoeclient.Options{Logger: c.Logger, Attempts: attempts, RetryWait: time.Second})
	directory := a.reader.Vault
	if a.owner != nil {
		directory = a.owner.Vault
	}
	// Two runs whose locks do not meet are as good as two machines.
	locks, err := lockDir(c)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.vault = vault.New(g.client, a.keys, vault.Options{
		Machine:   vault.ThisMachine(locks),
		Directory: directory, Needed: a.reader.Grid.Needed, Happy: a.reader.Grid.Happy, Total: a.reader.Grid.Total,
		Limits: vault.Limits{Upload: limiter(c.UploadRate), Download: limiter(c.DownloadRate)},
	})
	return g, nil
}

func limiter(perSecond int64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// GatewayConfig is how a gateway for this manifest is set up.
func GatewayConfig(c Config, a *Access) (node.GatewayConfig, error) {
	config, err := gatewayConfig(c, a.reader.Grid)
	if err != nil {
		return config, err
	}
	if a.owner != nil {
		config.LeaseSecret = node.Secret(a.owner.Gateway.LeaseSecret.Bytes())
		config.Convergence = node.Secret(a.owner.Gateway.Convergence.Bytes())
	} else {
		// A reader never writes, so any secrets do.
		config.LeaseSecret = a.keys.Identity("reader lease")
		config.Convergence = a.keys.Identity("reader convergence")
	}
	return config, nil
}

func gatewayConfig(c Config, g manifest.Grid) (node.GatewayConfig, error) {
	config := node.GatewayConfig{
		Dir: c.Directory, AllowDisk: c.AllowDisk, Logger: c.Logger,
		Needed: g.Needed, Happy: g.Happy, Total: g.Total,
	}
	switch g.Network {
	case manifest.NetworkPractice:
		config.Network = node.Loopback
	default:
		return config, fmt.Errorf("%w: %s", ErrNetwork, g.Network)
	}
	for _, i := range g.Introducers {
		config.Introducers = append(config.Introducers, node.Introducer{Name: i.Name, Furl: i.Furl.Secret()})
	}
	for _, s := range g.Servers {
		config.Servers = append(config.Servers, node.Server{ID: s.ID, Nickname: s.Nickname, Furl: s.Furl.Secret(), Seed: s.PermutationSeed()})
	}
	return config, nil
}

// Close stops the gateway if Connect started it.
func (g *Grid) Close() error {
	g.client.Close()
	if g.gateway != nil {
		return g.gateway.Close()
	}
	return nil
}

// Status is what the grid looks like from here.
type Status struct {
	Servers              []ServerStatus
	Usable               int
	Needed, Happy, Total int
	ToWrite              int // servers that a backup needs
}

// ServerStatus is one storage server.
type ServerStatus struct {
	Name            string // the owner's label or what the server calls itself
	Operator, Place string
	Connected       bool
	Text            string // what the gateway says about the connection
	AvailableSpace  int64  // bytes; -1 unknown, 0 takes nothing more
}

// Status asks the gateway. It does not wait for servers.
func (g *Grid) Status(ctx context.Context) (Status, error) {
	grid, err := g.client.Grid(ctx)
	if err != nil {
		return Status{}, err
	}
	r := g.access.reader.Grid
	s := Status{Usable: grid.Usable(), Needed: r.Needed, Happy: r.Happy, Total: r.Total, ToWrite: g.needToWrite(len(grid.Servers))}
	labels := make(map[string]manifest.Server)
	for _, p := range r.Servers {
		labels[p.ID] = p
	}
	for _, v := range grid.Servers {
		p := labels[v.ID]
		name := p.Nickname
		if name == "" {
			name = v.Nickname
		}
		s.Servers = append(s.Servers, ServerStatus{
			Name: name, Operator: p.Operator, Place: p.Place,
			Connected: v.Connected, Text: v.Status, AvailableSpace: v.AvailableSpace,
		})
	}
	return s, nil
}

func (g *Grid) needToWrite(known int) int {
	return vault.NeedToWrite(g.access.reader.Grid.Needed, g.access.reader.Grid.Happy, known)
}

// WaitToWrite returns when a backup can go ahead: with all servers if they come
// soon, with as few as a safe change needs if they do not.
func (g *Grid) WaitToWrite(ctx context.Context) error {
	return g.waitFor(ctx, g.needToWrite)
}

// WaitToRead returns when a restore can go ahead.
func (g *Grid) WaitToRead(ctx context.Context) error {
	return g.waitFor(ctx, func(int) int { return g.access.reader.Grid.Needed })
}

// settle is how long servers beyond the required number may take to join: those
// that do not are taken to be away.
const settle = 3 * time.Second

func (g *Grid) waitFor(ctx context.Context, need func(known int) int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.wait, errWaited)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var enough time.Time
	usable, required := 0, g.access.reader.Grid.Needed
	for {
		grid, err := g.client.Grid(ctx)
		if err == nil {
			usable, required = grid.Usable(), need(len(grid.Servers))
			if usable >= required && usable == len(grid.Servers) {
				return nil
			}
			if usable < required {
				enough = time.Time{}
			} else if enough.IsZero() {
				enough = time.Now()
			} else if time.Since(enough) >= settle {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errWaited) {
				return cause
			}
			if usable >= required {
				return nil
			}
			return fmt.Errorf("%w: %d of the %d that are needed", ErrTooFewServers, usable, required)
		}
	}
}

var errWaited = errors.New("waited long enough")
