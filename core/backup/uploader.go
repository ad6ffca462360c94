package backup

import (
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// How much upload a run that is cut off may lose.
const (
	checkpointBytes = 64 << 20
	checkpointTime  = 2 * time.Minute
	// A checkpoint lists every pack of the run, some 160 bytes each: of a very
	// long one, at most a sixty-fourth of what is sent are checkpoints.
	checkpointShare = 64 * 160
)

// uploader sends finished packs, a few at once, and keeps the pack table.
type uploader struct {
	v       *vault.Vault
	w       *vault.Writer
	tracker *progress.Tracker
	g       *errgroup.Group
	buffers chan []byte

	mu         sync.Mutex
	stored     map[snapshot.PackID]snapshot.Pack // by this run or the one it continues
	unnoted    int64
	noted      time.Time
	checkpoint sync.Mutex // held while a checkpoint is written
}

// newUploader notes packs in checkpoints through w, or with a nil w in none.
func newUploader(v *vault.Vault, w *vault.Writer, t *progress.Tracker, parallel int, stored map[snapshot.PackID]snapshot.Pack) *uploader {
	u := &uploader{
		v: v, w: w, tracker: t, g: new(errgroup.Group),
		// So many that content and listing can hold all they may have open and
		// one more is on its way back. Memory is taken when first needed: a
		// small backup needs little.
		buffers: make(chan []byte, parallel+2*maxOpen-1),
		stored:  stored,
		noted:   time.Now(),
	}
	u.g.SetLimit(parallel)
	for range cap(u.buffers) {
		u.buffers <- nil
	}
	return u
}

// buffer waits for memory to fill a pack in.
func (u *uploader) buffer(ctx context.Context) ([]byte, error) {
	select {
	case b := <-u.buffers:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// send uploads a finished pack in the background, once fewer than the allowed
// number are on their way, and takes its memory over. Of the content, plain bytes
// are in it.
func (u *uploader) send(ctx context.Context, fail context.CancelCauseFunc, id snapshot.PackID, data []byte, plain int64) {
	u.g.Go(func() error {
		p, err := u.v.PutPack(ctx, id, data, u.tracker.Moved)
		u.buffers <- data
		if err != nil {
			fail(err) // stops the run; the first cause wins
			return err
		}
		u.tracker.Sending(-plain)
		u.mu.Lock()
		u.stored[id] = p
		u.unnoted += p.Size
		due := u.w != nil && (u.unnoted >= max(checkpointBytes, checkpointShare*int64(len(u.stored))) || time.Since(u.noted) >= checkpointTime)
		u.mu.Unlock()
		if due {
			u.note(ctx)
		}
		return nil
	})
}

// note writes a checkpoint. Its failure costs only what a cut-off run would
// repeat, so the run goes on and the next one tries again.
func (u *uploader) note(ctx context.Context) {
	if !u.checkpoint.TryLock() {
		return
	}
	defer u.checkpoint.Unlock()
	u.mu.Lock()
	packs, n := maps.Clone(u.stored), u.unnoted
	u.mu.Unlock()
	if u.w.Checkpoint(ctx, vault.Checkpoint{Packs: packs}) != nil {
		return
	}
	u.mu.Lock()
	u.unnoted -= n
	u.noted = time.Now()
	u.mu.Unlock()
}

// wait returns when all packs are sent, with the first error.
func (u *uploader) wait() error { return u.g.Wait() }
