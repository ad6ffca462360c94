package upkeep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	crand "crypto/rand"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// Options of a round.
type Options struct {
	// Verify fetches every share of every object; otherwise servers are only
	// asked which they have. With Sample above 0 only so many packs are
	// verified, chosen at random, and everything that is no pack.
	Verify bool
	Sample int
	// Repair has missing shares of immutable objects made again. A mutable one
	// must be changed under the writer's mark instead: repairing it may bring an
	// old version back.
	Repair bool
	Renew  bool // renew the lease on every share, before anything else
	// Read, if set, is called for each verified pack and proves that its
	// content can be used. An error that is not vault.Unreadable ends the round.
	Read func(context.Context, vault.Object) error
	// Operator names who runs a server, "" for unknown; nil knows nobody.
	Operator func(serverID string) string
}

const (
	// parallel requests that move little: a round trip each, whatever the size.
	parallel = 16
	// verifying moves all shares of a pack through the gateway.
	parallelVerify = 2
)

// State is how an object is.
type State string

// The states, from best to worst. The words are shown to people.
const (
	Whole   State = "whole"   // every share is there, as far as was looked
	Weak    State = "weak"    // it can be read; shares are missing or on too few servers
	Damaged State = "damaged" // it can be read; some shares are corrupt
	Lost    State = "lost"    // it cannot be read
	Unknown State = "unknown" // some server keeps the answer back
)

// Finding is one object after the round.
type Finding struct {
	Object vault.Object
	State  State
	Health tahoeclient.Health // after a repair
	// Servers is how many servers may vanish before the object is lost,
	// Operators how many operators with all their servers: -1 where none is
	// known. Both are 0 when it is lost already.
	Servers, Operators int
	Read               bool // every byte was fetched
	Repaired           bool // it was worse before
	Err                error
}

// Report is the outcome of a round.
type Report struct {
	Objects, Packs int
	Bytes          int64 // of all objects, before Tahoe's own expansion
	Read           int   // packs of which every byte was fetched
	States         map[State]int
	// Findings are the objects that are not whole or were repaired, in the order
	// of the vault's inventory.
	Findings []Finding
	// Worst is the object that may lose the fewest servers.
	Worst   Finding
	Servers int  // distinct servers that hold something
	Away    int  // servers that did not answer at the end
	Renewed bool // the leases of all objects, on all servers
	Elapsed time.Duration

	all []Finding
}

// maxUnknown is how many objects without an answer end a round: each took as
// long as the client waits.
const maxUnknown = 8

// Round goes over all objects. Its error means that the grid failed, and then
// nothing is known of objects the Report does not count. An object that a server
// keeps back is Unknown, and the round goes on.
func Round(ctx context.Context, client *tahoeclient.Client, objects []vault.Object, o Options, t *progress.Tracker) (Report, error) {
	started := time.Now()
	t.SetPhase(progress.PhaseCheck)
	r := &round{client: client, o: o, tracker: t, verifying: make(chan struct{}, parallelVerify), findings: make([]Finding, len(objects))}
	passes := []Options{o}
	if o.Renew && (o.Verify || o.Repair) {
		// What takes long, or fails, must not keep the leases of the rest waiting.
		passes = []Options{{Renew: true, Operator: o.Operator}, o}
	}
	t.SetTotals(int64(len(passes)*len(objects)), 0)
	var err error
	for _, r.o = range passes {
		if err = r.pass(ctx, objects); err != nil {
			break
		}
	}
	report := summary(r.findings)
	if grid, gerr := client.Grid(ctx); gerr == nil {
		report.Away = len(grid.Servers) - grid.Usable()
	}
	report.Servers = len(r.servers)
	report.Renewed = o.Renew && err == nil && report.Away == 0 && report.States[Unknown] == 0
	report.Elapsed = time.Since(started)
	return report, err
}

func (r *round) pass(ctx context.Context, objects []vault.Object) error {
	r.chosen = choose(objects, r.o)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, object := range objects {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			f, err := r.object(gctx, i, object)
			if err != nil {
				if f, err = r.unanswered(gctx, object, err); err != nil {
					return fmt.Errorf("%s: %w", object.Name, err)
				}
			}
			r.findings[i] = f
			r.tracker.Entry(object.Name)
			if f.State != Whole {
				r.tracker.Problem()
			}
			return nil
		})
	}
	err := g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// unanswered judges an object that gave an error: as long as the gateway answers
// other requests, that is about the object.
func (r *round) unanswered(ctx context.Context, object vault.Object, err error) (Finding, error) {
	if ctx.Err() != nil {
		return Finding{}, context.Cause(ctx)
	}
	if errors.Is(err, tahoeclient.ErrNotAnswering) && !errors.Is(err, tahoeclient.ErrStuck) {
		return Finding{}, err
	}
	if _, gone := r.client.Grid(ctx); gone != nil {
		return Finding{}, err
	}
	if r.unknown.Add(1) > maxUnknown {
		return Finding{}, err
	}
	return Finding{Object: object, State: Unknown, Operators: -1, Err: err}, nil
}

type round struct {
	client    *tahoeclient.Client
	o         Options
	tracker   *progress.Tracker
	chosen    map[int]bool // to be verified
	verifying chan struct{}
	findings  []Finding
	unknown   atomic.Int32

	mu      sync.Mutex
	servers map[string]bool
}

// choose picks what is verified. Servers must not be able to tell beforehand.
func choose(objects []vault.Object, o Options) map[int]bool {
	chosen := make(map[int]bool)
	if !o.Verify {
		return chosen
	}
	var packs []int
	for i, object := range objects {
		if object.Kind == vault.KindPack {
			packs = append(packs, i)
		} else {
			chosen[i] = true
		}
	}
	if o.Sample > 0 && o.Sample < len(packs) {
		var seed [32]byte
		crand.Read(seed[:]) // never fails
		rand.New(rand.NewChaCha8(seed)).Shuffle(len(packs), func(i, j int) { packs[i], packs[j] = packs[j], packs[i] })
		packs = packs[:o.Sample]
	}
	for _, i := range packs {
		chosen[i] = true
	}
	return chosen
}

func (r *round) object(ctx context.Context, i int, object vault.Object) (Finding, error) {
	verify := r.chosen[i]
	if verify {
		r.verifying <- struct{}{}
		defer func() { <-r.verifying }()
	}
	h, err := r.client.Check(ctx, object.Cap, tahoeclient.CheckOptions{Verify: verify, AddLease: r.o.Renew})
	var strange *tahoeclient.Error
	if verify && errors.As(err, &strange) {
		// Tahoe trips over some damaged shares instead of counting them: what
		// it says without looking into them is still true.
		if h, err = r.client.Check(ctx, object.Cap, tahoeclient.CheckOptions{AddLease: r.o.Renew}); err == nil {
			h.CorruptShares = max(h.CorruptShares, 1)
		}
	}
	if err != nil {
		return Finding{}, err
	}
	f := r.finding(object, h)
	if r.o.Repair && f.State != Whole && f.State != Lost && !object.Cap.IsMutable() {
		before := f
		if h, err = r.client.Check(ctx, object.Cap, tahoeclient.CheckOptions{Verify: verify && strange == nil, Repair: true, AddLease: r.o.Renew}); err != nil {
			return Finding{}, err
		}
		if strange != nil {
			h.CorruptShares = max(h.CorruptShares, 1)
		}
		f = r.finding(object, h)
		f.Repaired = f.State == Whole || f.Health.SharesGood > before.Health.SharesGood || f.Servers > before.Servers
	}
	if verify && f.State != Lost && object.Kind == vault.KindPack {
		f.Read = true
		if r.o.Read != nil {
			if err := r.o.Read(ctx, object); err != nil {
				if ctx.Err() != nil {
					return Finding{}, context.Cause(ctx)
				}
				if !vault.Unreadable(err) {
					return Finding{}, err
				}
				f.State, f.Servers, f.Operators, f.Err, f.Read = Lost, 0, min(f.Operators, 0), err, false
			}
		}
	}
	return f, nil
}

// finding judges an object by its shares.
func (r *round) finding(object vault.Object, h tahoeclient.Health) Finding {
	shares := currentShares(h)
	r.mu.Lock()
	for _, ids := range shares {
		for _, id := range ids {
			if r.servers == nil {
				r.servers = make(map[string]bool)
			}
			r.servers[id] = true
		}
	}
	r.mu.Unlock()
	f := Finding{Object: object, Health: h, State: Whole, Operators: -1}
	f.Servers = Margin(shares, h.SharesNeeded, func(id string) string { return id })
	if r.o.Operator != nil {
		f.Operators = Margin(shares, h.SharesNeeded, r.o.Operator)
	}
	switch {
	case !h.Recoverable:
		f.State, f.Servers, f.Operators = Lost, 0, min(f.Operators, 0)
	case h.CorruptShares > 0:
		f.State = Damaged
	case !h.Healthy || f.Servers < h.SharesTotal-h.SharesNeeded && h.GoodHosts < min(h.SharesTotal, len(h.RespondingServers)):
		f.State = Weak
	}
	return f
}

func summary(findings []Finding) Report {
	report := Report{States: make(map[State]int), all: findings}
	for _, f := range findings {
		if f.State == "" {
			continue // the round ended before it
		}
		report.Objects++
		size, _ := f.Object.Cap.Size()
		report.Bytes += size
		if f.Object.Kind == vault.KindPack {
			report.Packs++
			if f.Read {
				report.Read++
			}
		}
		report.States[f.State]++
		if f.State != Whole || f.Repaired {
			report.Findings = append(report.Findings, f)
		}
		if report.Worst.State == "" || worse(f, report.Worst) {
			report.Worst = f
		}
	}
	return report
}

// Keep returns r with what before knew better: a round that did not read does
// not take back what one that did has found of the same objects.
func (r Report) Keep(before Report) Report {
	known := make(map[tahoeclient.Cap]Finding)
	for _, f := range before.all {
		if f.State == Lost || f.State == Damaged || f.State == Unknown || f.Read {
			known[f.Object.Cap] = f
		}
	}
	findings := slices.Clone(r.all)
	for i, f := range findings {
		if old, ok := known[f.Object.Cap]; ok && (f.State == Whole || f.State == Weak && old.State != Whole) {
			findings[i] = old
		}
	}
	kept := summary(findings)
	kept.Servers, kept.Away, kept.Renewed, kept.Elapsed = r.Servers, r.Away, r.Renewed, r.Elapsed
	return kept
}

// worse compares by what may still vanish; among equals packs count first, as
// they hold the content.
func worse(a, b Finding) bool {
	if a.State == Unknown || b.State == Unknown {
		return b.State == Unknown && a.State != Unknown // nothing is known of its servers
	}
	if la, lb := a.State == Lost, b.State == Lost; la != lb {
		return la
	}
	if a.Servers != b.Servers {
		return a.Servers < b.Servers
	}
	if a.Operators != b.Operators {
		return a.Operators < b.Operators
	}
	return a.Object.Kind == vault.KindPack && b.Object.Kind != vault.KindPack
}

// Of returns the findings in one of the given states.
func (r Report) Of(states ...State) []Finding {
	var found []Finding
	for _, f := range r.Findings {
		if slices.Contains(states, f.State) {
			found = append(found, f)
		}
	}
	return found
}
