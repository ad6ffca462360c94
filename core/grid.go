package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/tor"
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
	// Tor says which tor to use where the grid needs one.
	Tor TorConfig
	// SAM is the address of the I2P router, where the grid needs one; empty is DefaultSAM.
	SAM string
	// Wait is how long to wait for tor, and then for enough servers; 0 is
	// DefaultWait.
	Wait time.Duration
	// Logger gets harmless values only; nil discards.
	Logger *slog.Logger
}

func (c Config) wait() time.Duration {
	if c.Wait <= 0 {
		return DefaultWait
	}
	return c.Wait
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
	return gatewayID(config, a.reader.Grid, a.keys.Identity)
}

func gatewayID(config node.GatewayConfig, grid manifest.Grid, identity func(use string) [32]byte) (string, error) {
	config.Dir, config.AllowDisk, config.Logger = "", false, nil // where and how it runs is no part of what it is
	config.TorSocks, config.SAM = "", ""
	// Its tor has the keys of locked servers.
	b, err := json.Marshal(struct {
		Config node.GatewayConfig
		Keys   []clientKey
	}{config, clientKeys(grid)})
	if err != nil {
		return "", fmt.Errorf("naming the gateway: %w", err)
	}
	sum := sha256.Sum256(b)
	id := identity("gateway " + string(sum[:]))
	return hex.EncodeToString(id[:6]), nil
}

// Grid is a connected grid with the vault of one manifest. Status is safe from
// any goroutine; the operations are meant for one at a time.
type Grid struct {
	connection
	access *Access
	vault  *vault.Vault
}

// connection is a gateway and what is asked of any grid. The caller closes it.
type connection struct {
	grid    manifest.Grid
	tor     *tor.Kept     // nil where none is needed, or when attached
	gateway *node.Gateway // nil when attached to somebody's
	client  *tahoeclient.Client
	wait    time.Duration
}

// connect attaches to the gateway of that name or starts it.
func connect(ctx context.Context, c Config, grid manifest.Grid, config node.GatewayConfig, id string, t *progress.Tracker) (connection, error) {
	t.SetPhase(progress.PhaseConnect)
	l := connection{grid: grid, wait: c.wait()}
	socket := ""
	attached, err := node.FindGateway(c.Directory, id)
	switch {
	case err == nil:
		socket = attached.Socket
	case !errors.Is(err, node.ErrNoGateway):
		return l, err
	default:
		if err := l.start(ctx, c, config, t); err != nil {
			return l, err
		}
		socket = l.gateway.Socket()
	}
	o := clientOptions(c, grid)
	if l.tor != nil {
		o.Cause = l.tor.Check
	}
	l.client = tahoeclient.New(socket, o)
	return l, nil
}

// start starts a gateway, and before it the way to the grid.
func (l *connection) start(ctx context.Context, c Config, config node.GatewayConfig, t *progress.Tracker) (err error) {
	switch {
	case overTor(l.grid):
		t.SetPhase(progress.PhaseTor)
		way, err := c.throughTor(l.grid)
		if err != nil {
			return err
		}
		if l.tor, err = way.keep(ctx); err != nil {
			return err
		}
		config.TorSocks = l.tor.Socks()
		t.SetPhase(progress.PhaseConnect)
	case l.grid.Network == manifest.NetworkI2P:
		if err := checkSAM(ctx, c.sam()); err != nil {
			return err
		}
	}
	if l.gateway, err = node.StartGateway(ctx, config); err != nil {
		return errors.Join(err, l.closeTor())
	}
	return nil
}

// Connect attaches to the gateway that was started for this manifest or starts
// one. It returns as soon as the gateway answers; servers connect in the
// background. ctx bounds the start only. The caller closes the Grid.
func Connect(ctx context.Context, c Config, a *Access, t *progress.Tracker) (*Grid, error) {
	config, err := GatewayConfig(c, a)
	if err != nil {
		return nil, err
	}
	id, err := gatewayID(config, a.reader.Grid, a.keys.Identity)
	if err != nil {
		return nil, err
	}
	g := &Grid{access: a}
	if g.connection, err = connect(ctx, c, a.reader.Grid, config, id, t); err != nil {
		return nil, err
	}
	directory := a.reader.Vault
	if a.owner != nil {
		directory = a.owner.Vault
	}
	// Two runs whose locks do not meet are as good as two machines.
	locks, err := lockDir(c)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	var pinned vault.Link
	if pin := a.reader.Pin; pin != nil {
		pinned = vault.Link{Sequence: pin.Sequence, Cap: pin.Snapshot}
	}
	g.vault = vault.New(g.client, a.keys, vault.Options{
		Pinned:    pinned,
		Machine:   vault.ThisMachine(locks),
		Directory: directory, Needed: a.reader.Grid.Needed, Happy: a.reader.Grid.Happy, Total: a.reader.Grid.Total,
		Limits: vault.Limits{Upload: limiter(c.UploadRate), Download: limiter(c.DownloadRate)},
	})
	return g, nil
}

// clientOptions are those of a client of the gateway to g.
func clientOptions(c Config, g manifest.Grid) tahoeclient.Options {
	o := networkOf(g).ClientOptions()
	o.Logger, o.Attempts, o.RetryWait = c.Logger, attempts, time.Second
	// Without an introducer's word the pinned servers are all there are.
	if o.Servers = len(g.Servers); o.Servers == 0 {
		o.Servers = g.Total
	}
	return o
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
		Dir: c.Directory, AllowDisk: c.AllowDisk, Logger: c.Logger, Network: networkOf(g),
		Needed: g.Needed, Happy: g.Happy, Total: g.Total,
	}
	if config.Network == node.I2P {
		config.SAM = "tcp:" + c.sam()
	}
	for _, i := range g.Introducers {
		config.Introducers = append(config.Introducers, node.Introducer{Name: i.Name, Furl: i.Furl.Secret()})
	}
	for _, s := range g.Servers {
		config.Servers = append(config.Servers, node.Server{ID: s.ID, Nickname: s.Nickname, Furl: s.Furl.Secret(), Seed: s.PermutationSeed()})
	}
	return config, nil
}

// networkOf: a manifest and a node use the same words.
func networkOf(g manifest.Grid) node.Network { return node.Network(g.Network) }

func (c Config) sam() string {
	if c.SAM == "" {
		return DefaultSAM
	}
	return c.SAM
}

// Close stops the gateway and the tor that Connect started.
func (l *connection) Close() error {
	l.client.Close()
	var err error
	if l.gateway != nil {
		err = l.gateway.Close()
	}
	return errors.Join(err, l.closeTor())
}

func (l *connection) closeTor() error {
	if l.tor == nil {
		return nil
	}
	return l.tor.Close()
}

// Status is what the grid looks like from here.
type Status struct {
	Tor     *tor.Status // of the tor that Connect found or started; nil without one
	TorAway error       // why it is away; nil if it is there

	// Introducers tell of servers. The pinned ones are found without.
	Introducers []IntroducerStatus

	Servers              []ServerStatus
	Usable               int
	Needed, Happy, Total int
	ToWrite              int // servers that a backup needs
}

// IntroducerStatus is one introducer, as the gateway sees it.
type IntroducerStatus struct {
	Connected bool
	Text      string // the gateway's words
}

// ServerStatus is one storage server.
type ServerStatus struct {
	Name            string // the owner's label or what the server calls itself
	Operator, Place string
	Connected       bool
	Silent          bool      // connected, and yet it says nothing any more
	LastHeard       time.Time // on this connection; zero if there is none
	LeaseDays       int       // see manifest.Server
	Text            string    // what the gateway says about the connection
	AvailableSpace  int64     // bytes; -1 unknown, 0 takes nothing more
}

// Status asks the gateway. It does not wait for servers.
func (l *connection) Status(ctx context.Context) (Status, error) {
	grid, err := l.client.Grid(ctx)
	if err != nil {
		return Status{}, err
	}
	r := l.grid
	s := Status{Usable: grid.Usable(), Needed: r.Needed, Happy: r.Happy, Total: r.Total, ToWrite: l.needToWrite(len(grid.Servers))}
	if l.tor != nil {
		now := l.tor.Status()
		s.Tor, s.TorAway = &now, l.tor.Check(ctx)
	}
	for _, text := range grid.Introducers {
		s.Introducers = append(s.Introducers, IntroducerStatus{strings.HasPrefix(text, "Connected"), text})
	}
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
			Name: name, Operator: p.Operator, Place: p.Place, LeaseDays: p.LeaseDays,
			Connected: v.Connected, Silent: v.Silent, LastHeard: v.LastReceived,
			Text: v.Status, AvailableSpace: v.AvailableSpace,
		})
	}
	return s, nil
}

func (l *connection) needToWrite(known int) int {
	return vault.NeedToWrite(l.grid.Needed, l.grid.Happy, known)
}

// WaitToWrite returns when a backup can go ahead: with all servers if they come
// soon, with as few as a safe change needs if they do not.
func (l *connection) WaitToWrite(ctx context.Context) error {
	return l.waitFor(ctx, l.needToWrite)
}

// WaitToRead returns when a restore can go ahead.
func (l *connection) WaitToRead(ctx context.Context) error {
	return l.waitFor(ctx, func(int) int { return l.grid.Needed })
}

// settle is how long servers beyond the required number may take to join: those
// that do not are taken to be away.
const settle = 3 * time.Second

func (l *connection) waitFor(ctx context.Context, need func(known int) int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.wait, errWaited)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var enough time.Time
	usable, required := 0, l.grid.Needed
	var silent error // of the gateway, when it did not answer last
	for {
		grid, err := l.client.Grid(ctx)
		if ctx.Err() == nil {
			silent = err
		}
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
			if silent != nil {
				return silent
			}
			if usable >= required {
				return nil
			}
			return l.blame(context.WithoutCancel(ctx), fmt.Errorf("%w: %d of the %d that are needed", ErrTooFewServers, usable, required))
		}
	}
}

// blame puts before err what keeps servers away, if it is not they.
func (l *connection) blame(ctx context.Context, err error) error {
	if n := len(clientKeys(l.grid)); l.tor != nil && n > 0 && !l.tor.TakesCommands() {
		err = fmt.Errorf("%d servers ask for a key: %w: %w", n, tor.ErrNotOwn, err)
	}
	return l.client.Blame(ctx, err)
}

var errWaited = errors.New("waited long enough")
