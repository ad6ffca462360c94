package vault

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"hiddenbackup/tahoeclient"
)

// A gateway fetches the segments of one request one after another, each with a
// round trip of its own, and all from the servers that answered first when the
// request began. So what is far away is asked for in pieces, some at once, each
// of which looks for its servers anew. If all looked at the same time, all would
// find the same ones, and the others would be idle for as long as the pieces
// take: most wait until those before them keep their servers busy. On this
// machine all that would only be more work.
const (
	segment       = 1 << 20 // Tahoe's, before it is rounded up
	pieceSegments = 2       // each piece costs two round trips more; small ones end together
	piecesAhead   = 3       // and the one being read: memory, times the packs at once

	lookingAtOnce = 5 // enough that lines of 20 Mbit/s in all have work

	// farAway is more than a gateway on this machine needs to begin.
	farAway = 250 * time.Millisecond
)

// longestLook is how long a piece may keep others from looking: servers that
// hang must not stop everything. Tests have less.
var longestLook = 5 * time.Second

// pieceSize is a whole number of segments: of one that two pieces need a part
// each would fetch the whole.
func (v *Vault) pieceSize() int64 {
	k := int64(max(v.needed, 1))
	return pieceSegments * ((segment + k - 1) / k * k)
}

// open reads the bytes from off to end of a pack. The caller closes what it
// returns.
func (v *Vault) open(ctx context.Context, pack tahoeclient.Cap, off, end int64) (io.ReadCloser, error) {
	size := v.pieceSize()
	first := off / size
	n := int((end-1)/size-first) + 1
	if n > 1 && v.far.Load() {
		return readInOrder(ctx, n, piecesAhead, func(ctx context.Context, i int) ([]byte, error) {
			start := max(off, (first+int64(i))*size)
			return v.piece(ctx, pack, start, min(end, (first+int64(i)+1)*size)-start)
		}), nil
	}
	began := time.Now()
	body, err := v.client.Get(ctx, pack, off, end-off)
	if err == nil {
		v.answered(began) // with the first bytes
	}
	return body, err
}

// answered learns from an answer how far away the servers are.
func (v *Vault) answered(began time.Time) { v.far.Store(time.Since(began) > farAway) }

// A piece that takes far longer than others do waits for a server that hangs, on
// which the gateway gives up after minutes. Who asks anew finds other servers. On
// a slow line all take long, so the bound is a multiple of what they take.
const (
	pieceTries = 3 // the last one waits as long as the gateway does
	farLonger  = 6 // times the usual
)

// Tests have less.
var (
	leastPatience = 40 * time.Second
	firstPatience = 2 * time.Minute // while nothing is known
)

var errStuck = errors.New("no answer for far longer than usual")

// piece fetches a part of a pack into memory.
func (v *Vault) piece(ctx context.Context, pack tahoeclient.Cap, off, n int64) ([]byte, error) {
	for try := 1; ; try++ {
		bounded, cancel := ctx, context.CancelFunc(func() {})
		if try < pieceTries {
			bounded, cancel = context.WithTimeoutCause(ctx, v.patience(), errStuck)
		}
		began := time.Now()
		data, err := v.ask(bounded, pack, off, n)
		stuck := context.Cause(bounded) == errStuck
		cancel()
		if err == nil {
			v.tookPiece(time.Since(began))
		}
		if err == nil || !stuck {
			return data, err
		}
	}
}

func (v *Vault) patience() time.Duration {
	if usual := time.Duration(v.usual.Load()); usual > 0 {
		return max(leastPatience, farLonger*usual)
	}
	return firstPatience
}

// tookPiece follows what pieces take. Two that end at once may count as one.
func (v *Vault) tookPiece(d time.Duration) {
	usual := time.Duration(v.usual.Load())
	if usual == 0 {
		usual = d
	}
	v.usual.Store(int64(usual + (d-usual)/8))
}

// ask is one request.
func (v *Vault) ask(ctx context.Context, pack tahoeclient.Cap, off, n int64) ([]byte, error) {
	if err := v.looking.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	found := sync.OnceFunc(func() { v.looking.Release(1) })
	defer time.AfterFunc(longestLook, found).Stop()
	defer found()
	body, err := v.client.Get(ctx, pack, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	found()
	data := make([]byte, n)
	_, err = io.ReadFull(body, data)
	return data, err
}
