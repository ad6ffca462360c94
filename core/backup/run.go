package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// ErrNoFolders: nothing to do.
var ErrNoFolders = errors.New("no folder to back up")

// errGrid marks failures that must end the run even where they surface while a
// file is handled.
var errGrid = errors.New("the grid failed")

// goodbye is how long a run that is stopped may take to note what it stored.
const goodbye = 20 * time.Second

// Run backs up o.Folders into one new snapshot. The caller holds the lock that
// keeps two runs on this machine apart. When ctx ends, what is stored is noted
// for the next run, and the context's error is returned.
//
// A nil error means that the snapshot was linked and read back: the snapshot
// object byte for byte, the listing entry by entry; and that the servers
// confirmed the shares of every new pack, whose content was not downloaded.
func Run(ctx context.Context, v *vault.Vault, o Options, t *progress.Tracker) (Report, error) {
	started, before := time.Now(), v.Sent()
	report := Report{}
	if len(o.Folders) == 0 {
		return report, ErrNoFolders
	}
	slices.SortFunc(o.Folders, func(a, b Folder) int { return strings.Compare(a.Name, b.Name) })
	t.SetPhase(progress.PhaseReadGrid)
	w, d, err := v.Claim(ctx, o.BreakMark)
	if err != nil {
		return report, err
	}
	r := &run{v: v, w: w, o: o, tracker: t, report: &report, index: newIndex()}
	err = r.all(ctx, d, started)
	report.Elapsed, report.Sent = time.Since(started), v.Sent()-before
	if err != nil && !r.committed {
		r.leave(ctx)
	}
	return report, err
}

// run is the state of one Run.
type run struct {
	v         *vault.Vault
	w         *vault.Writer
	o         Options
	tracker   *progress.Tracker
	report    *Report
	index     *index
	parent    *snapshot.Snapshot
	old       map[snapshot.PackID]snapshot.Pack // stored by earlier runs
	uploader  *uploader
	committed bool
}

func (r *run) all(ctx context.Context, d *vault.Directory, started time.Time) error {
	if err := r.readGrid(ctx, d); err != nil {
		return err
	}
	s := &snapshot.Snapshot{Info: snapshot.Info{
		Sequence: max(d.Newest(), r.o.Pin.Sequence) + 1,
		Time:     started.UTC(),
	}}
	if r.parent != nil {
		s.Parent = r.parent.Sequence
	}
	for _, f := range r.o.Folders {
		s.Folders = append(s.Folders, f.Folder)
	}
	r.report.Info = s.Info
	if err := r.store(ctx, s); err != nil {
		return err
	}
	return r.commit(ctx, s)
}

// readGrid finds the parent and learns which chunks are stored.
func (r *run) readGrid(ctx context.Context, d *vault.Directory) error {
	r.old = make(map[snapshot.PackID]snapshot.Pack)
	if err := r.findParent(ctx, d); err != nil {
		return err
	}
	if r.parent != nil {
		for id, p := range r.parent.Packs {
			r.old[id] = p
		}
		if err := r.learn(ctx); err != nil {
			return err
		}
	}
	return r.resume(ctx, d)
}

// findParent loads the newest snapshot that can be loaded, the pinned one
// included.
func (r *run) findParent(ctx context.Context, d *vault.Directory) error {
	caps := d.Snapshots
	if pin := r.o.Pin; pin.Sequence > 0 {
		r.report.RolledBack = pin.Sequence > d.Newest()
		if _, known := caps[pin.Sequence]; !known {
			caps[pin.Sequence] = pin.Snapshot
		}
	}
	for _, n := range d.Numbers() {
		s, err := r.v.Load(ctx, caps[n], n)
		if err == nil {
			r.parent = s
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, snapshot.ErrVersion) {
			return err
		}
		r.report.ParentProblems = append(r.report.ParentProblems, err)
	}
	return nil
}

// learn fills the index from the parent's listing, so that content that was
// moved, copied or restored is recognised wherever it is now. A listing that
// cannot be read costs the comparison, not the backup.
func (r *run) learn(ctx context.Context) error {
	for _, ref := range r.parent.Listing {
		r.index.add(ref)
	}
	l, err := r.v.Listing(ctx, r.parent, r.tracker.Moved)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			r.report.ParentProblems = append(r.report.ParentProblems, err)
			r.parent, r.index = nil, newIndex()
			return nil
		}
		for _, ref := range e.Chunks {
			if r.parent.CheckRef(ref) == nil {
				r.index.add(ref)
			}
		}
	}
}

// resume adds what an unfinished run has stored. A pack that cannot be read is
// stored again.
func (r *run) resume(ctx context.Context, d *vault.Directory) error {
	c, err := r.v.ReadCheckpoint(ctx, d)
	if err != nil {
		return ctx.Err()
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(defaultUploads)
	found := make(chan []snapshot.ChunkRef, len(c.Packs))
	for _, p := range c.Packs {
		g.Go(func() error {
			if refs, err := r.v.Contents(gctx, p); err == nil {
				found <- refs
			}
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return context.Cause(ctx)
	}
	close(found)
	for refs := range found {
		r.report.Resumed++
		for _, ref := range refs {
			r.old[ref.Pack] = c.Packs[ref.Pack]
			r.index.add(ref)
		}
	}
	return nil
}

// store runs the pipeline and fills in what s says.
func (r *run) store(ctx context.Context, s *snapshot.Snapshot) error {
	r.tracker.SetPhase(progress.PhaseFiles)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	parent, err := openParent(ctx, r.v, r.parent, nil)
	if err != nil {
		return err
	}
	defer parent.close()

	uploads := r.o.Uploads
	if uploads <= 0 {
		uploads = defaultUploads
	}
	r.uploader = newUploader(r.v, r.w, r.tracker, uploads)
	content := &packer{ctx: ctx, fail: fail, keys: r.v.Keys, up: r.uploader}
	listing := &listingPacker{packer: packer{ctx: ctx, fail: fail, keys: r.v.Keys, up: r.uploader}, index: r.index, stored: r.o.Stored}
	read := newReader(r.o, r.v.Keys, r.index, parent)
	pipe, write := io.Pipe()
	c := &collector{
		ctx: ctx, reader: read, index: r.index, packer: content,
		listing: snapshot.NewListingWriter(write), tracker: r.tracker, report: r.report,
		used: make(map[snapshot.PackID]bool), skipped: make(map[string]error),
	}

	var g errgroup.Group
	spawn := func(work func() error) {
		g.Go(func() error {
			err := work()
			if err != nil {
				fail(err) // the first cause stops all and is what the run returns
			}
			return err
		})
	}
	spawn(func() error { return r.estimate(ctx) })
	read.start(ctx, spawn)
	spawn(func() error {
		err := c.run()
		write.CloseWithError(err) // nil ends the listing
		return err
	})
	spawn(func() error {
		err := r.v.Keys.CutListing(pipe, listing.chunk)
		pipe.CloseWithError(err)
		return err
	})
	err = g.Wait()
	read.drain()
	if err == nil {
		err = errors.Join(content.finish(), listing.finish())
	}
	err = errors.Join(err, r.uploader.wait())
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	r.report.LeftOut = read.left
	r.report.Packs = content.full + listing.full
	s.Totals, s.Skipped, s.Listing = r.report.Info.Totals, r.report.Info.Skipped, listing.refs
	return r.packTable(s, c.used)
}

// packTable gives s the packs that it needs, and no others.
func (r *run) packTable(s *snapshot.Snapshot, used map[snapshot.PackID]bool) error {
	for _, ref := range s.Listing {
		used[ref.Pack] = true
	}
	s.Packs = make(map[snapshot.PackID]snapshot.Pack, len(used))
	for id := range used {
		p, ok := r.uploader.fresh[id]
		if !ok {
			p, ok = r.old[id]
		}
		if !ok {
			return fmt.Errorf("%w: pack %v is in use and was never stored", snapshot.ErrFormat, id)
		}
		s.Packs[id] = p
	}
	return nil
}

// estimate walks once ahead, reading no content, so that the front end can say
// how far the run is.
func (r *run) estimate(ctx context.Context) error {
	entries, bytes, err := count(ctx, r.o)
	if err == nil {
		r.tracker.SetTotals(entries, bytes)
	}
	return nil // the real walk meets the same error and reports it
}

// commit makes the snapshot count and proves that it does.
func (r *run) commit(ctx context.Context, s *snapshot.Snapshot) error {
	r.tracker.SetPhase(progress.PhaseCommit)
	stored, err := r.v.Commit(ctx, s)
	if err != nil {
		return err
	}
	r.committed = true
	r.report.Snapshot = stored
	r.tracker.SetPhase(progress.PhaseVerify)
	if err := r.verify(ctx, s); err != nil {
		return fmt.Errorf("snapshot %d is stored, but checking it failed: %w", s.Sequence, err)
	}
	r.tracker.SetPhase(progress.PhaseDone)
	return nil
}

// verify reads the listing back and asks for the shares of each new pack.
func (r *run) verify(ctx context.Context, s *snapshot.Snapshot) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(defaultUploads)
	g.Go(func() error { return r.readBack(gctx, s) })
	weak := make(chan struct{}, len(r.uploader.fresh))
	for id, p := range r.uploader.fresh {
		if _, used := s.Packs[id]; !used {
			continue
		}
		g.Go(func() error {
			h, err := r.v.Check(gctx, p)
			if err != nil {
				return err
			}
			if !h.Recoverable {
				return fmt.Errorf("pack %v: %w", p.ID, vault.ErrNotStored)
			}
			if !h.Healthy {
				weak <- struct{}{}
			}
			return nil
		})
	}
	err := g.Wait()
	r.report.Weak = len(weak)
	return err
}

func (r *run) readBack(ctx context.Context, s *snapshot.Snapshot) error {
	l, err := r.v.Listing(ctx, s, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	var totals snapshot.Totals
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		totals.Entries++
		if e.Type == snapshot.TypeFile {
			totals.Files++
			totals.Bytes += uint64(e.Size)
		}
		for _, ref := range e.Chunks {
			if err := s.CheckRef(ref); err != nil {
				return err
			}
		}
	}
	if totals != s.Totals {
		return fmt.Errorf("the listing: %w", vault.ErrNotStored)
	}
	return nil
}

// leave ends an unfinished run: what is stored is noted, the mark given up.
func (r *run) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if r.uploader != nil {
		r.uploader.note(ctx)
	}
	r.w.Release(ctx) // otherwise it runs out by itself
}
