package restore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// A window is what is planned, fetched, synced and renamed together. Its bounds
// keep memory and temporary files flat. A file larger than a window has one of
// its own, and is on the disk up to the last syncBytes of it: so much a power
// cut may cost.
var (
	windowBytes int64 = 64 << 20 // sealed
	syncBytes   int64 = 64 << 20
)

const (
	windowFiles = 4096
	filesAtOnce = 4
	lastRanges  = 2 // of all are fetched as such: what is under way at once, over a slow line
)

// file is one file under way.
type file struct {
	entry   *snapshot.Entry
	tree    *localfs.Tree
	path    []byte
	replace bool
	staged  *localfs.Staged
	stands  []bool // chunks that an earlier run has written; nil if there was none

	mu      sync.Mutex
	fail    error
	left    atomic.Int32 // pieces not written yet
	written atomic.Int64 // bytes
}

func (f *file) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.fail = err
	}
}

// place is where in a file a chunk goes.
type place struct {
	f   *file
	off int64
}

// spot names a stored chunk and what it is to be: one that two entries call by
// different names is checked against both.
type spot struct {
	id     snapshot.ChunkID
	pack   snapshot.PackID
	offset uint32
}

type window struct {
	files  []*file
	refs   []snapshot.ChunkRef
	places map[spot][]place
	bytes  int64
	last   snapshot.PackID
	final  bool // no other of its tier follows

	before  <-chan struct{} // closed when this window may ask for its packs
	started chan struct{}   // closed when it has asked for all of them
	fetched chan struct{}   // closed when they have come, or will not
}

func newWindow() *window {
	return &window{places: make(map[spot][]place), started: make(chan struct{}), fetched: make(chan struct{})}
}

// full reports whether e should start the next window. Where possible that is
// where a new pack begins, so that no pack is fetched for two windows.
func (w *window) full(e *snapshot.Entry) bool {
	if len(w.files) == 0 {
		return false
	}
	if len(w.files) >= windowFiles || w.bytes >= 2*windowBytes {
		return true
	}
	return w.bytes >= windowBytes && len(e.Chunks) > 0 && e.Chunks[0].Pack != w.last
}

func (w *window) add(f *file) {
	w.files = append(w.files, f)
	off := int64(0)
	for i, r := range f.entry.Chunks {
		if !r.Hole() && (f.stands == nil || !f.stands[i]) {
			f.left.Add(1)
			at := spot{r.ID, r.Pack, r.Offset}
			if w.places[at] == nil {
				w.refs = append(w.refs, r)
				w.bytes += int64(r.Sealed)
			}
			w.places[at] = append(w.places[at], place{f, off})
			w.last = r.Pack
		}
		off += r.Length
	}
}

// run fetches and writes everything and renames what is complete, also when
// the run is cut off. What is not complete then stays for the next run, unless
// the disk is full: the person may want to restore something else first, or
// need the space more urgently.
func (w *window) run(ctx context.Context, r *run) error {
	err := w.fetchAll(ctx, r)
	files := w.files
	if err != nil {
		files = slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return f.left.Load() != 0 })
	}
	if noSpace(err) == nil && len(files) > 0 {
		if cerr := r.commit(files); err == nil || noSpace(cerr) != nil {
			err = cerr
		}
	}
	for _, f := range w.files {
		if f.staged != nil && (f.fail != nil || noSpace(err) != nil) {
			f.staged.Discard()
		}
	}
	return err
}

func (w *window) fetchAll(ctx context.Context, r *run) error {
	defer close(w.fetched)
	ranges, err := vault.Ranges(r.s, w.refs)
	if err != nil {
		return err
	}
	select {
	case <-w.before:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g, gctx := errgroup.WithContext(ctx)
	for i, rng := range ranges {
		rng.Last = w.final && i >= len(ranges)-lastRanges
		if err := r.slots.Acquire(gctx, 1); err != nil {
			break
		}
		g.Go(func() error {
			defer r.slots.Release(1)
			return w.fetch(gctx, r, rng)
		})
	}
	close(w.started)
	err = g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx) // a disk that another window found full, perhaps
	}
	return err
}

// fetch gets one range and writes its chunks wherever they go. What the grid
// has lost costs only the files that need it.
func (w *window) fetch(ctx context.Context, r *run, rng vault.Range) error {
	written := make(map[uint32]bool)
	err := r.v.Fetch(ctx, rng, r.fetched, func(c snapshot.ChunkRef, plain []byte) error {
		written[c.Offset] = true
		for _, p := range w.places[spot{c.ID, c.Pack, c.Offset}] {
			if err := r.write(p, plain); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || ctx.Err() != nil || !vault.Unreadable(err) {
		return err
	}
	// Servers that are away are no reason to call files lost.
	if away := r.v.Complete(ctx); away != nil {
		return away
	}
	for _, c := range rng.Chunks {
		if !written[c.Offset] {
			for _, p := range w.places[spot{c.ID, c.Pack, c.Offset}] {
				p.f.failed(fmt.Errorf("part of its content is not to be had: %w", err))
			}
		}
	}
	return nil
}

// commit gives files their metadata and, once all are on the disk, their names.
func (r *run) commit(files []*file) error {
	if err := eachFile(files, func(f *file) error {
		if f.fail != nil {
			return nil
		}
		if f.left.Load() != 0 {
			f.failed(fmt.Errorf("%w: it was not written completely", snapshot.ErrFormat))
			return nil
		}
		return r.finish(f)
	}); err != nil {
		return err
	}
	if err := r.targets.sync(); err != nil {
		return err
	}
	return eachFile(files, func(f *file) error {
		if f.fail == nil {
			if err := f.staged.Commit(f.replace); err != nil {
				f.failed(err)
			} else {
				f.staged = nil
			}
		}
		r.done(f)
		return nil
	})
}

// eachFile calls work for all files, some at once: it is the file system that
// takes its time.
func eachFile(files []*file, work func(*file) error) error {
	var g errgroup.Group
	g.SetLimit(filesAtOnce)
	for _, f := range files {
		g.Go(func() error { return work(f) })
	}
	return g.Wait()
}
