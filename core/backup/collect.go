package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
)

// ErrChanging marks a file that changed each time it was read.
var ErrChanging = errors.New("the file changed while it was read; what is stored may be a mixture")

// collector takes steps in path order, places sealed chunks in packs and writes
// the listing.
type collector struct {
	ctx     context.Context
	reader  *reader
	index   *index
	packer  *packer
	listing *snapshot.ListingWriter
	tracker *progress.Tracker
	report  *Report
	used    map[snapshot.PackID]bool
	chunks  []snapshot.ChunkRef // of the file whose pieces arrive
	// heirs are the names that have the content of hard-linked files instead of
	// their first names, by those; nil while no other name was met.
	heirs map[string][]byte
}

func (c *collector) run() error {
	for s := range c.reader.steps {
		if err := c.step(s); err != nil {
			s.release()
			return err
		}
	}
	return nil
}

func (c *collector) step(s *step) error {
	if s.piece != nil {
		if err := c.take(s); err != nil {
			return err
		}
		if s.entry == nil {
			return nil
		}
	}
	defer s.release()
	e := s.entry
	if e.Type == snapshot.TypeHardlink {
		c.inherit(s)
	}
	if errors.Is(s.err, localfs.ErrChanged) && s.again != nil {
		s.err, s.changed = nil, true // saved anew under its name: that one counts
	}
	if s.changed && s.err == nil {
		s.err = c.readAgain(s)
	}
	chunks := c.chunks
	c.chunks = nil
	if s.err != nil {
		return c.skip(e, s.err)
	}
	if e.Type == snapshot.TypeFile && !s.reused {
		e.Chunks = chunks
		e.Size = 0
		for _, r := range chunks {
			e.Size += r.Length
		}
	}
	if err := e.Validate(); err != nil {
		return c.skip(e, err) // nothing a file system holds should end the run
	}
	if s.first != nil {
		c.heirs[string(s.first)] = e.Path
	}
	if s.warn != nil {
		c.report.problem(e.Path, fmt.Errorf("stored without some of its extended attributes: %w", s.warn))
		c.tracker.Problem()
	}
	c.count(e, s)
	for _, r := range e.Chunks {
		c.use(r)
	}
	return c.listing.Write(e)
}

// take waits for a piece and places it. The budget is free again afterwards.
func (c *collector) take(s *step) error {
	p := s.piece
	select {
	case <-p.done:
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	if p.hole > 0 {
		c.chunks = append(c.chunks, snapshot.ChunkRef{Length: p.hole})
		c.tracker.Add(p.hole)
		return nil
	}
	defer c.reader.budget.Release(p.size)
	if p.err != nil {
		s.err = p.err
		return nil
	}
	if s.whole && !sameContent(p.fresh, s.entry) {
		s.changed = true
	}
	c.report.Read += int64(p.length)
	if p.length == 0 {
		return nil // it shrank to nothing, and changed says so
	}
	ref, err := c.place(p)
	if err != nil {
		return err
	}
	c.chunks = append(c.chunks, ref)
	if s.entry == nil {
		c.tracker.Add(int64(p.length))
	}
	return nil
}

// place finds or makes the stored form of a piece.
func (c *collector) place(p *piece) (snapshot.ChunkRef, error) {
	if p.sealed == nil {
		return p.known, nil
	}
	defer freeSealed(p.sealed)
	// The same content may have been sealed twice at the same time.
	if ref, known := c.index.find(p.id, p.length); known {
		return ref, nil
	}
	ref, err := c.packer.add(p.id, p.sealed, p.length)
	if err != nil {
		return ref, err
	}
	c.index.add(ref)
	return ref, nil
}

// inherit makes s the entry with the content, where the first name of the file
// is gone or stands for another one by now; further names then refer to s.
func (c *collector) inherit(s *step) {
	e := s.entry
	heir, gone := c.heirs[string(e.Target)]
	switch {
	case !gone:
	case heir != nil:
		e.Target = heir
	default:
		s.first, e.Type, e.Target, s.changed = e.Target, snapshot.TypeFile, nil, true
		s.warn = s.again.XattrErr
	}
}

// readAgain reads a file that changed under our hands once more, slowly and
// right here: it is rare, and the order of steps stays what it is.
func (c *collector) readAgain(s *step) error {
	e := s.entry
	f, err := s.again.Open()
	if errors.Is(err, localfs.ErrChanged) {
		if e.Links > 1 {
			c.heirs[string(e.Path)] = nil
		}
		s.first = nil
		if err = s.again.Renew(); err == nil {
			s.warn = s.again.XattrErr
			f, err = s.again.Open()
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	before, err := localfs.FreshEntry(f, e.Path)
	if err != nil {
		return err
	}
	e.Size, e.ModTime, e.ChangeTime, e.Inode = before.Size, before.ModTime, before.ChangeTime, before.Inode
	c.chunks = nil
	err = eachPiece(f, s.again, c.reader.keys.NewCutter(), func(plain []byte, hole int64) error {
		p := &piece{plain: plain, hole: hole, done: make(chan struct{})}
		if hole > 0 {
			c.chunks = append(c.chunks, snapshot.ChunkRef{Length: hole})
			return c.ctx.Err()
		}
		c.reader.seal(p)
		c.report.Read += int64(p.length)
		ref, err := c.place(p)
		if err != nil {
			return fmt.Errorf("%w: %w", errGrid, err)
		}
		c.chunks = append(c.chunks, ref)
		return c.ctx.Err()
	})
	if err != nil {
		return err
	}
	after, err := localfs.FreshEntry(f, e.Path)
	if err != nil {
		return err
	}
	if !sameContent(after, before) {
		e.Changed = true
		c.report.problem(e.Path, ErrChanging)
		c.tracker.Problem()
	}
	return nil
}

// skip leaves an entry out and names it in the report. Only what the file
// system refuses is skipped; anything else ends the run.
func (c *collector) skip(e *snapshot.Entry, err error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if errors.Is(err, errGrid) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("it vanished before it was read: %w", err)
	}
	c.report.problem(e.Path, err)
	c.tracker.Problem()
	if e.Links > 1 {
		c.heirs[string(e.Path)] = nil
	}
	if e.Type == snapshot.TypeDir && e.Validate() == nil {
		// What could not be listed still exists: keep the folder itself, with
		// what is known of it.
		c.report.Info.Totals.Entries++
		c.report.Info.Skipped++
		return c.listing.Write(e)
	}
	c.report.Info.Skipped++
	return nil
}

func (c *collector) count(e *snapshot.Entry, s *step) {
	t := &c.report.Info.Totals
	t.Entries++
	c.tracker.Entry(string(e.Path))
	if e.Type != snapshot.TypeFile {
		return
	}
	c.tracker.File()
	t.Files++
	t.Bytes += uint64(e.Size)
	switch {
	case s.old == nil:
		c.report.New++
	case s.reused, sameChunks(s.old, e):
		c.report.Unchanged++
	default:
		c.report.Changed++
	}
	if s.reused || e.Size <= snapshot.MinChunk {
		c.tracker.Add(e.Size) // larger files are counted piece by piece
	}
}

// sameChunks reports whether two entries have the same content.
func sameChunks(a, b *snapshot.Entry) bool {
	return slices.EqualFunc(a.Chunks, b.Chunks, func(x, y snapshot.ChunkRef) bool { return x.ID == y.ID && x.Length == y.Length })
}

func (c *collector) use(r snapshot.ChunkRef) {
	if !r.Hole() {
		c.used[r.Pack] = true
	}
}
