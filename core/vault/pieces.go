package vault

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// A gateway fetches the segments of one request one after another, each with a
// round trip of its own, and all from the servers that answered first when the
// request began. So what is far away is asked for in pieces, some at once, each
// of which looks for its servers anew. If all looked at the same time, all would
// find the same ones, and the others would be idle for as long as the pieces
// take: most wait until those before them keep their servers busy, which is as
// soon as a small answer takes. On this machine all that would only be more work.
const (
	segment       = 1 << 20 // Tahoe's, before it is rounded up
	pieceSegments = 2       // each piece costs two round trips more

	// Of all packs there are 18 pieces at once, and 12 of what comes last: many
	// keep all lines busy, and few end together.
	atOnce      = 36
	pieceWeight = 2
	lastWeight  = 3

	lookingAtOnce = 3 // enough that lines of 35 Mbit/s in all have work

	// farAway is more than a gateway on this machine needs to begin.
	farAway = 250 * time.Millisecond
)

// longestLook is how long a piece may keep others from looking at most: servers
// that hang must not stop everything. Tests have less.
var longestLook = 5 * time.Second

// pieces are the parts of r to ask for with one request each.
func (v *Vault) pieces(r Range) iter.Seq2[int64, int64] {
	// A whole number of segments: of one that two pieces need a part each would
	// fetch the whole.
	k := int64(max(v.needed, 1))
	size := (segment + k - 1) / k * k
	switch {
	case !v.far.Load():
		size = r.end()
	case !r.Last:
		size *= pieceSegments
	}
	return func(yield func(int64, int64) bool) {
		for from := r.offset(); from < r.end(); {
			to := min(r.end(), (from/size+1)*size)
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// open reads the bytes from off to end of a pack, and says how long it waited for
// the first. The caller closes what it returns.
func (v *Vault) open(ctx context.Context, pack tahoeclient.Cap, off, end int64) (io.ReadCloser, time.Duration, error) {
	if v.looking.Acquire(ctx, 1) != nil {
		return nil, 0, context.Cause(ctx)
	}
	found := sync.OnceFunc(func() { v.looking.Release(1) })
	look := longestLook
	if d := time.Duration(v.least.Load()); d > 0 {
		look = min(look, d)
	}
	defer time.AfterFunc(look, found).Stop()
	defer found()
	began := time.Now()
	body, err := v.client.Get(ctx, pack, off, end-off)
	return body, time.Since(began), err
}

// answered learns from the wait for an answer how far away the servers are.
func (v *Vault) answered(waited time.Duration) {
	v.far.Store(waited > farAway)
	if d := v.least.Load(); d == 0 || int64(waited) < d {
		v.least.Store(int64(waited)) // of two at once either will do
	}
}

// assembly is one range while its pieces come, in any order.
type assembly struct {
	Range
	v     *Vault
	moved func(int64)
	use   func(c snapshot.ChunkRef, sealed, plain []byte) error

	mu      sync.Mutex
	parts   []incoming // of each chunk
	damaged error      // the first

	using sync.Mutex // one chunk at a time
}

// incoming is what has come of a sealed chunk.
type incoming struct {
	sealed *[]byte // nil before its first byte
	left   int     // bytes
}

var chunkBuffers = sync.Pool{New: func() any { return new([]byte) }}

// fetch gets the chunks of r and calls use for each, one at a time, in the order
// in which they come.
func (v *Vault) fetch(ctx context.Context, r Range, moved func(int64), use func(c snapshot.ChunkRef, sealed, plain []byte) error) error {
	a := &assembly{v: v, Range: r, moved: moved, use: use, parts: make([]incoming, len(r.Chunks))}
	at := r.offset()
	for i, c := range r.Chunks {
		if int64(c.Offset) < at {
			return fmt.Errorf("%w: overlapping chunks in pack %v", snapshot.ErrFormat, r.Pack.ID)
		}
		at = int64(c.Offset) + int64(c.Sealed)
		a.parts[i].left = int(c.Sealed)
	}
	weight := int64(pieceWeight)
	if r.Last {
		weight = lastWeight
	}
	g, gctx := errgroup.WithContext(ctx)
	for from, to := range v.pieces(r) {
		if v.fetching.Acquire(gctx, weight) != nil {
			break // the reason is in g or in ctx
		}
		g.Go(func() error {
			defer v.fetching.Release(weight)
			err := a.piece(gctx, from, to)
			if err != nil && Unreadable(err) { // other pieces may be whole
				a.damage(err)
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return a.damaged
}

func (a *assembly) damage(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.damaged == nil {
		a.damaged = err
	}
}

// piece fetches the bytes from one offset to another, and uses the chunks that
// they complete.
func (a *assembly) piece(ctx context.Context, from, to int64) error {
	body, waited, err := a.v.open(ctx, a.Pack.Cap, from, to)
	if err != nil {
		return fmt.Errorf("fetching pack %v: %w", a.Pack.ID, err)
	}
	defer body.Close()
	if from == a.offset() && to == a.end() {
		a.v.answered(waited) // not by pieces, which wait for each other
	}
	in := &meteredBody{Reader: body, ctx: ctx, limit: a.v.limits.Download, moved: a.moved}
	for i, c := range a.Chunks {
		start, end := int64(c.Offset), int64(c.Offset)+int64(c.Sealed)
		if end <= from {
			continue
		}
		if start >= to {
			break
		}
		if _, err := io.CopyN(io.Discard, in, max(start-from, 0)); err != nil {
			return fmt.Errorf("fetching pack %v: %w", a.Pack.ID, err)
		}
		from = max(from, start)
		n := min(end, to) - from
		if _, err := io.ReadFull(in, a.sealed(i)[from-start:][:n]); err != nil {
			return fmt.Errorf("fetching pack %v: %w", a.Pack.ID, err)
		}
		from += n
		if err := a.came(i, int(n)); err != nil {
			return err
		}
	}
	return nil
}

// sealed is the memory for chunk i, of which pieces fill their own parts.
func (a *assembly) sealed(i int) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, size := &a.parts[i], int(a.Chunks[i].Sealed)
	if p.sealed == nil {
		p.sealed = chunkBuffers.Get().(*[]byte)
		*p.sealed = slices.Grow((*p.sealed)[:0], size)[:size]
	}
	return *p.sealed
}

// came notes n bytes more of chunk i. Whoever brings the last of them opens it.
func (a *assembly) came(i, n int) error {
	a.mu.Lock()
	p := &a.parts[i]
	p.left -= n
	whole := p.left == 0
	a.mu.Unlock()
	if !whole {
		return nil
	}
	defer chunkBuffers.Put(p.sealed)
	plain := chunkBuffers.Get().(*[]byte)
	defer chunkBuffers.Put(plain)
	opened, err := a.v.Keys.OpenChunk((*plain)[:0], *p.sealed, a.Chunks[i])
	if err != nil {
		a.damage(fmt.Errorf("pack %v: %w", a.Pack.ID, err))
		return nil // the others may be whole
	}
	*plain = opened
	a.using.Lock()
	defer a.using.Unlock()
	return a.use(a.Chunks[i], *p.sealed, opened)
}
