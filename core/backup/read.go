package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// Memory in flight between reading and packing, in bytes of plaintext; sealed
// it takes as much again.
const (
	budgetBytes = 24 << 20
	queueLength = 256
)

// step is one thing the collector does next, in path order. A file is some
// steps with a piece, then one with its entry; everything else is one step.
type step struct {
	piece *piece
	entry *snapshot.Entry // complete, but for the chunks of the pieces before it
	err   error           // the entry could not be read
	warn  error           // the entry lacks some of its metadata
	// changed: the file was written to while we read it.
	changed bool
	// again opens the file once more, to read a changed one, or one whose first
	// name is gone.
	again *localfs.Item
	// first is the name under which a hard-linked file should have been read.
	first []byte
	// whole says that piece holds all of a small file.
	whole bool
	// old is the parent's entry of a file, nil for a new one; reused says that
	// its chunks were taken over without reading.
	old    *snapshot.Entry
	reused bool
}

// piece is content on its way from the disk into a pack. A worker fills it and
// closes done.
type piece struct {
	done   chan struct{}
	plain  []byte // from the buffer pool, or nil when item is to be read
	item   *localfs.Item
	hole   int64
	size   int64 // as the budget counts it
	id     snapshot.ChunkID
	length int
	sealed []byte // nil when the chunk is known
	known  snapshot.ChunkRef
	fresh  *snapshot.Entry // a small file as it was after it was read
	err    error
}

// reader walks, reads, cuts, and lets workers hash and seal. It feeds steps in
// path order.
type reader struct {
	o      Options
	keys   *snapshot.Keys
	index  *index
	parent *parentCursor
	steps  chan *step
	work   chan *piece
	budget *semaphore.Weighted
	links  links
	cutter *snapshot.Cutter
	left   map[localfs.ExcludeReason]uint64
}

// links finds the further names of files: each folder can be restored alone,
// so links stay within it.
type links map[inode]*link

type inode struct {
	folder   string
	dev, ino uint64
}

// link is the entry that has the content, as it was listed: the collector may
// have changed it since.
type link struct {
	path    []byte
	size    int64
	modTime snapshot.Timespec
	seen    uint64
}

// first returns the path of the entry that it is another name of, nil for the
// first name of a file.
func (l links) first(it *localfs.Item) []byte {
	if it.Entry.Links < 2 {
		return nil
	}
	key := inode{it.Entry.Folder(), it.Dev, it.Entry.Inode}
	known := l[key]
	if known == nil || known.modTime != it.Entry.ModTime || known.size != it.Entry.Size {
		// The first name, or a new file under the number of one that is gone.
		l[key] = &link{it.Entry.Path, it.Entry.Size, it.Entry.ModTime, 1}
		return nil
	}
	known.seen++
	if known.seen == it.Entry.Links {
		delete(l, key) // all its names are found: memory stays flat
	}
	return known.path
}

func newReader(o Options, keys *snapshot.Keys, x *index, parent *parentCursor) *reader {
	return &reader{
		o: o, keys: keys, index: x, parent: parent,
		steps:  make(chan *step, queueLength),
		work:   make(chan *piece, queueLength),
		budget: semaphore.NewWeighted(budgetBytes),
		links:  make(links),
		cutter: keys.NewCutter(),
		left:   make(map[localfs.ExcludeReason]uint64),
	}
}

// start runs the walk and its workers. The channel of steps is closed after the
// last one.
func (r *reader) start(ctx context.Context, spawn func(func() error)) {
	spawn(func() error {
		defer close(r.steps)
		defer close(r.work)
		for _, f := range r.o.Folders {
			err := localfs.Walk(ctx, f.Name, f.Root, r.o.Walk(f), func(it *localfs.Item) error { return r.visit(ctx, it) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	for range min(runtime.GOMAXPROCS(0), 6) {
		spawn(func() error {
			for p := range r.work {
				r.seal(p)
			}
			return nil
		})
	}
}

func (r *reader) visit(ctx context.Context, it *localfs.Item) error {
	e := it.Entry
	if it.Excluded != "" {
		r.left[it.Excluded]++
		it.Release()
		return nil
	}
	if it.Pruned != "" {
		r.left[it.Pruned]++
	}
	if it.Err != nil || e.Type != snapshot.TypeFile {
		it.Release()
		return r.put(ctx, &step{entry: e, err: it.Err, warn: it.XattrErr})
	}
	if first := r.links.first(it); first != nil {
		e.Type, e.Target, e.Size = snapshot.TypeHardlink, first, 0
		return r.put(ctx, &step{entry: e, again: it})
	}
	old := r.parent.find(e.Path)
	s := &step{entry: e, warn: it.XattrErr, old: old}
	if old != nil && !r.o.ReadAll && r.parent.unchanged(old, e) {
		it.Release()
		e.Chunks, s.reused = old.Chunks, true
		return r.put(ctx, s)
	}
	s.again = it // the collector releases it
	if e.Size <= snapshot.MinChunk {
		return r.small(ctx, it, s)
	}
	return r.large(ctx, it, s)
}

// small hands a file of one chunk to a worker, which also reads it.
func (r *reader) small(ctx context.Context, it *localfs.Item, s *step) error {
	if s.entry.Size == 0 {
		return r.put(ctx, s)
	}
	s.whole = true
	s.piece = &piece{item: it, size: s.entry.Size}
	return r.submit(ctx, s)
}

// large reads and cuts a file here and leaves the pieces to the workers.
func (r *reader) large(ctx context.Context, it *localfs.Item, s *step) error {
	f, err := it.Open()
	if err != nil {
		s.err = err
		return r.put(ctx, s)
	}
	defer f.Close()
	s.err = eachPiece(f, it, r.cutter, func(plain []byte, hole int64) error {
		p := &piece{plain: plain, hole: hole, size: int64(len(plain))}
		return r.submit(ctx, &step{piece: p})
	})
	if ctx.Err() != nil {
		it.Release()
		return context.Cause(ctx)
	}
	if s.err == nil {
		fresh, err := localfs.FreshEntry(f, s.entry.Path)
		s.err, s.changed = err, err == nil && !sameContent(fresh, s.entry)
	}
	return r.put(ctx, s)
}

// eachPiece cuts an open file and calls piece with each chunk, in memory the
// callee owns, or with the length of a hole.
func eachPiece(f *os.File, it *localfs.Item, cutter *snapshot.Cutter, piece func(plain []byte, hole int64) error) error {
	cut := func(in io.Reader) error {
		cutter.Reset(in)
		for {
			plain, err := cutter.Next(newPlain())
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := piece(plain, 0); err != nil {
				return err
			}
		}
	}
	if it.Blocks*512 >= it.Entry.Size {
		// No further than it was long: a log may grow faster than we read.
		return cut(io.NewSectionReader(f, 0, it.Entry.Size))
	}
	// data is what was found and not yet cut; done is up to where the file is.
	data, done := localfs.Extent{}, int64(0)
	flush := func(until int64) error {
		if data.Length > 0 {
			if data.Offset > done {
				if err := piece(nil, data.Offset-done); err != nil {
					return err
				}
			}
			if err := cut(io.NewSectionReader(f, data.Offset, data.Length)); err != nil {
				return err
			}
			done = data.Offset + data.Length
		}
		if until > done {
			if err := piece(nil, until-done); err != nil {
				return err
			}
			done = until
		}
		return nil
	}
	for x, err := range localfs.Extents(f, it.Entry.Size) {
		if err != nil {
			return err
		}
		if data.Length > 0 && x.Offset-(data.Offset+data.Length) < minHole {
			data.Length = x.Offset + x.Length - data.Offset
			continue
		}
		if err := flush(0); err != nil {
			return err
		}
		data = x
	}
	return flush(it.Entry.Size)
}

// minHole is the shortest hole worth a place in the listing: shorter ones are
// read as zeros, so that a file of countless holes is still a few chunks.
const minHole = 64 << 10

// sameContent reports whether a and b, one file looked at twice, show no sign
// that it was written to in between.
func sameContent(a, b *snapshot.Entry) bool {
	return a.Size == b.Size && a.ModTime == b.ModTime && a.ChangeTime == b.ChangeTime && a.Inode == b.Inode
}

// submit gives a piece to the workers and its step to the collector.
func (r *reader) submit(ctx context.Context, s *step) error {
	p := s.piece
	p.done = make(chan struct{})
	if p.hole > 0 {
		close(p.done)
		return r.put(ctx, s)
	}
	if err := r.budget.Acquire(ctx, p.size); err != nil {
		s.release()
		return context.Cause(ctx)
	}
	select {
	case r.work <- p:
	case <-ctx.Done():
		s.release()
		return context.Cause(ctx)
	}
	return r.put(ctx, s)
}

func (r *reader) put(ctx context.Context, s *step) error {
	select {
	case r.steps <- s:
		return nil
	case <-ctx.Done():
		s.release()
		return context.Cause(ctx)
	}
}

// release gives back the directory handle a step holds.
func (s *step) release() {
	if s.again != nil {
		s.again.Release()
		s.again = nil
	}
}

// drain releases what a run that ended early never collected.
func (r *reader) drain() {
	for s := range r.steps {
		s.release()
	}
}

// seal is a worker's part: read a small file, hash, look up, compress, seal.
func (r *reader) seal(p *piece) {
	defer close(p.done)
	if p.item != nil {
		if p.plain, p.fresh, p.err = readSmall(p.item); p.err != nil {
			return
		}
	}
	p.id, p.length = snapshot.IDOf(p.plain), len(p.plain)
	if ref, known := r.index.find(p.id, p.length); known {
		p.known = ref
	} else if p.length > 0 {
		p.sealed = r.keys.SealChunk(newSealed(p.length), p.plain, !r.o.Stored)
	}
	freePlain(p.plain)
	p.plain = nil
}

// readSmall reads a file that was at most MinChunk long when it was listed. If
// it has grown beyond that, fresh says so, and the caller reads it again.
func readSmall(it *localfs.Item) ([]byte, *snapshot.Entry, error) {
	f, err := it.Open()
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	buf := newPlain()[:snapshot.MinChunk]
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("reading: %w", err)
	}
	fresh, err := localfs.FreshEntry(f, it.Entry.Path)
	return buf[:n], fresh, err
}

// Memory for chunks goes round: a backup reads far more than it may hold. Only
// large chunks take part. A small one gets what it needs and no more, or
// hundreds of them waiting for a slow line would each hold a large buffer.
var (
	plains = sync.Pool{New: func() any { b := make([]byte, 0, snapshot.MinChunk); return &b }}
	boxes  = sync.Pool{New: func() any { b := make([]byte, 0, snapshot.MinChunk); return &b }}
)

func newPlain() []byte { return (*plains.Get().(*[]byte))[:0] }

func freePlain(b []byte) { plains.Put(&b) }

// newSealed returns memory for the sealed form of length bytes.
func newSealed(length int) []byte {
	want := length + snapshot.SealOverhead
	if want < snapshot.MinChunk {
		return make([]byte, 0, want)
	}
	b := *boxes.Get().(*[]byte)
	if cap(b) < want || cap(b) > 2*want+snapshot.MinChunk {
		return make([]byte, 0, want)
	}
	return b[:0]
}

func freeSealed(b []byte) {
	if cap(b) >= snapshot.MinChunk {
		boxes.Put(&b)
	}
}
