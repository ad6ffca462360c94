package vault

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// Names of the vault directory's children; part of the format.
const (
	nameConfig     = "config"
	nameCheckpoint = "checkpoint"
	nameWriter     = "writer"
	nameCare       = "care"
	prefixSnapshot = "snapshot-"
)

// inFlight is how many small objects are asked for at once: on an onion grid
// each request waits for round trips, not for bandwidth.
const inFlight = 4

var (
	// ErrTooFewServers: a change now could be lost or split the vault.
	ErrTooFewServers = errors.New("too few storage servers answer")
	// ErrNoVault: the directory is gone or cannot be read.
	ErrNoVault = errors.New("the vault directory cannot be read")
	// ErrNotStored: what was read back is not what was written.
	ErrNotStored = errors.New("what was stored did not read back the same")
	// ErrNoSnapshot: the vault holds no such snapshot.
	ErrNoSnapshot = errors.New("no such snapshot")
)

// Limits slow a run down; a nil limiter does not. They count bytes between us
// and the gateway, which passes a pack on as fast as it can: the average holds,
// not every second.
type Limits struct{ Upload, Download *rate.Limiter }

// Vault speaks to one vault directory through one gateway. Safe for concurrent
// use, except that one goroutine at a time may change the directory.
type Vault struct {
	Keys    *snapshot.Keys
	client  *tahoeclient.Client
	dir     tahoeclient.Cap
	needed  int
	total   int
	happy   int
	pinned  Link
	limits  Limits
	machine string
	sent    atomic.Int64
	known   known        // of the listing that was read last
	far     atomic.Bool  // whether the servers are; see pieces
	least   atomic.Int64 // time.Duration that an answer took; 0 not known

	fetching, looking *semaphore.Weighted // pieces
}

// Options of a Vault; Directory, Needed, Happy and Total are required.
type Options struct {
	Directory tahoeclient.Cap // write-cap, or read-cap to only restore
	// Needed, Happy and Total are the gateway's.
	Needed, Happy, Total int
	// Pinned may be a snapshot in a form outside the directory that is kept
	// alive as if it were in it.
	Pinned Link
	Limits Limits
	// Machine tells writers apart: those of one name never run at once. See
	// ThisMachine.
	Machine string
}

// New returns the vault. It does not contact the grid. The caller closes the client.
func New(client *tahoeclient.Client, keys *snapshot.Keys, o Options) *Vault {
	return &Vault{
		Keys: keys, client: client, dir: o.Directory, needed: o.Needed, happy: o.Happy, total: o.Total,
		pinned: o.Pinned, limits: o.Limits, machine: o.Machine,
		fetching: semaphore.NewWeighted(atOnce), looking: semaphore.NewWeighted(lookingAtOnce),
	}
}

// Create makes a vault directory with config in it and returns its write-cap;
// o.Directory is not used.
// A directory that starts empty is where Tahoe loses concurrent links.
func Create(ctx context.Context, client *tahoeclient.Client, keys *snapshot.Keys, o Options, config Config) (tahoeclient.Cap, error) {
	v := New(client, keys, o)
	if err := v.requireServers(ctx); err != nil {
		return tahoeclient.Cap{}, err
	}
	stored, err := v.putRecord(ctx, nameConfig, config)
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	dir, err := client.MakeDir(ctx, map[string]tahoeclient.Child{nameConfig: {Cap: stored}})
	if err != nil {
		return tahoeclient.Cap{}, fmt.Errorf("making the vault directory: %w", err)
	}
	v.dir = dir
	d, err := v.Read(ctx)
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	if d.config != stored {
		return tahoeclient.Cap{}, ErrNotStored
	}
	return dir, nil
}

// Directory is one reading of the vault directory.
type Directory struct {
	Snapshots  map[uint64]tahoeclient.Cap
	config     tahoeclient.Cap
	checkpoint tahoeclient.Cap
	writer     tahoeclient.Cap
	care       tahoeclient.Cap
}

// Newest returns the highest sequence number, 0 when there is no snapshot.
func (d *Directory) Newest() uint64 {
	return slices.Max(append(slices.Collect(maps.Keys(d.Snapshots)), 0))
}

// Read reads the vault directory. Children it does not know are left alone.
func (v *Vault) Read(ctx context.Context) (*Directory, error) {
	return readDirectory(ctx, v.client, v.dir)
}

func readDirectory(ctx context.Context, client *tahoeclient.Client, dir tahoeclient.Cap) (*Directory, error) {
	children, err := client.ReadDir(ctx, dir)
	if errors.Is(err, tahoeclient.ErrGone) || errors.Is(err, tahoeclient.ErrNotEnoughShares) {
		return nil, fmt.Errorf("%w: %w", ErrNoVault, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the vault directory: %w", err)
	}
	d := &Directory{Snapshots: make(map[uint64]tahoeclient.Cap)}
	for name, child := range children {
		switch {
		case child.Cap.IsZero() || child.Cap.IsMutable():
		case name == nameConfig:
			d.config = child.Cap
		case name == nameCheckpoint:
			d.checkpoint = child.Cap
		case name == nameWriter:
			d.writer = child.Cap
		case name == nameCare:
			d.care = child.Cap
		default:
			if n, ok := sequenceOf(name); ok {
				d.Snapshots[n] = child.Cap
			}
		}
	}
	return d, nil
}

func sequenceOf(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefixSnapshot)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatUint(n, 10) == digits
}

// Load fetches and opens the snapshot behind c, which must carry the sequence
// number seq: a directory that answers with another one is lying.
func (v *Vault) Load(ctx context.Context, c tahoeclient.Cap, seq uint64) (*snapshot.Snapshot, error) {
	sealed, err := v.read(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("fetching snapshot %d: %w", seq, err)
	}
	s, err := v.Keys.OpenSnapshot(sealed)
	if err != nil {
		return nil, fmt.Errorf("opening snapshot %d: %w", seq, err)
	}
	if s.Sequence != seq {
		return nil, fmt.Errorf("%w: snapshot %d in the place of %d", snapshot.ErrFormat, s.Sequence, seq)
	}
	return s, nil
}

// Infos loads what d lists, newest first. A snapshot that does not load has
// its error in the second map and is missing from the first result.
func (v *Vault) Infos(ctx context.Context, d *Directory) ([]snapshot.Info, map[uint64]error, error) {
	numbers := d.Numbers()
	infos := make([]*snapshot.Info, len(numbers))
	errs := make([]error, len(numbers))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for i, n := range numbers {
		g.Go(func() error {
			s, err := v.Load(gctx, d.Snapshots[n], n)
			if err != nil {
				errs[i] = err
				return gctx.Err()
			}
			info := s.Info // without the pack table, which may be large
			infos[i] = &info
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	var found []snapshot.Info
	failed := make(map[uint64]error)
	for i, info := range infos {
		if info != nil {
			found = append(found, *info)
		} else {
			failed[numbers[i]] = errs[i]
		}
	}
	return found, failed, nil
}

func snapshotName(n uint64) string { return prefixSnapshot + strconv.FormatUint(n, 10) }

// none is the empty literal file: the value of a child that is there and says
// nothing. Overwriting with it makes one update of what would be several.
var none = literal(nil)

const literalSize = 55

// literal returns the capability of a file of up to literalSize bytes, which
// lives inside the capability itself.
func literal(data []byte) tahoeclient.Cap {
	c, err := tahoeclient.ParseCap("URI:LIT:" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(data)))
	if err != nil {
		panic(err) // only for more
	}
	return c
}

// NeedToWrite is how many of known servers must be usable for a change of a
// mutable object: happy ones, and so many that fewer than needed are left out.
// Those left out keep the old version; needed of them could serve it as if
// nothing had happened.
func NeedToWrite(needed, happy, known int) int { return max(happy, known-needed+1) }

func (v *Vault) requireServers(ctx context.Context) error {
	grid, err := v.client.Grid(ctx)
	if err != nil {
		return err
	}
	usable, known := grid.Usable(), len(grid.Servers)
	if want := NeedToWrite(v.needed, v.happy, known); usable < want {
		return v.client.Blame(ctx, fmt.Errorf("%w: %d of %d, a change needs %d", ErrTooFewServers, usable, known, want))
	}
	return nil
}

// Complete fails with tahoeclient.ErrNotEnoughShares when so many servers are away
// that an object may seem lost which is not.
func (v *Vault) Complete(ctx context.Context) error {
	grid, err := v.client.Grid(ctx)
	if err != nil {
		return err
	}
	usable, known := grid.Usable(), len(grid.Servers)
	if usable < v.needed || known-usable > v.total-v.needed {
		return v.client.Blame(ctx, fmt.Errorf("%w: %d of %d", tahoeclient.ErrNotEnoughShares, usable, known))
	}
	return nil
}

// Sent counts the bytes of all files stored through v so far.
func (v *Vault) Sent() int64 { return v.sent.Load() }

func (v *Vault) read(ctx context.Context, c tahoeclient.Cap) ([]byte, error) {
	size, ok := c.Size()
	if !ok {
		return nil, tahoeclient.ErrBadCap
	}
	began := time.Now()
	data, err := v.client.ReadAll(ctx, c, 0, size)
	if err == nil && size > literalSize {
		v.answered(time.Since(began))
	}
	return data, err
}

// Numbers returns the sequence numbers, newest first.
func (d *Directory) Numbers() []uint64 {
	n := slices.Sorted(maps.Keys(d.Snapshots))
	slices.Reverse(n)
	return n
}

// Empty is a directory without snapshots, for when the real one is lost.
func Empty() *Directory { return &Directory{Snapshots: make(map[uint64]tahoeclient.Cap)} }
