package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
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
// A nil error means that the snapshot was linked, and before that: the servers
// confirmed the shares of every pack it needs, whose content was not
// downloaded; its listing was read back entry by entry, and the snapshot object
// byte for byte.
func Run(ctx context.Context, v *vault.Vault, o Options, t *progress.Tracker) (Report, error) {
	started, before := time.Now(), v.Sent()
	report := Report{}
	if len(o.Folders) == 0 {
		return report, ErrNoFolders
	}
	t.SetPhase(progress.PhaseReadGrid)
	w, d, err := v.Claim(ctx, o.BreakMark)
	if err != nil {
		return report, err
	}
	r := &run{v: v, w: w, o: o.sorted(), tracker: t, report: &report,
		stored: make(map[snapshot.PackID]snapshot.Pack), lost: make(map[snapshot.PackID]bool)}
	err = r.all(ctx, d, started)
	report.Elapsed, report.Sent = time.Since(started), v.Sent()-before
	if err != nil {
		r.leave(ctx)
	}
	return report, err
}

// run is the state of one Run.
type run struct {
	v       *vault.Vault
	w       *vault.Writer
	o       Options
	tracker *progress.Tracker
	report  *Report
	index   *index
	parent  *snapshot.Snapshot
	old     map[snapshot.PackID]snapshot.Pack // of the parent
	// stored are the packs of this run and of the one it continues: what a
	// checkpoint notes.
	stored map[snapshot.PackID]snapshot.Pack
	// lost are packs that were found to be gone; their chunks count as unknown.
	lost map[snapshot.PackID]bool
}

// maxRounds bounds how often content is stored again because packs are gone: a
// grid that loses them faster than that is no place for a backup.
const maxRounds = 3

func (r *run) all(ctx context.Context, d *vault.Directory, started time.Time) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var alive errgroup.Group
	defer alive.Wait()
	defer fail(nil)
	alive.Go(func() error {
		if err := r.w.KeepAlive(ctx); err != nil {
			fail(err)
		}
		return nil
	})
	if err := r.findParent(ctx, d); err != nil {
		return err
	}
	if err := r.resume(ctx, d); err != nil {
		return err
	}
	for range maxRounds {
		s := &snapshot.Snapshot{Info: snapshot.Info{
			Sequence: max(d.Newest(), r.o.Pin.Sequence) + 1,
			Time:     started.UTC(),
		}}
		for _, f := range r.o.Folders {
			s.Folders = append(s.Folders, f.Folder)
		}
		if err := r.round(ctx, s); err != nil {
			return err
		}
		r.tracker.SetPhase(progress.PhaseVerify)
		gone, err := r.verify(ctx, s)
		if err != nil {
			return fmt.Errorf("checking what was stored: %w", err)
		}
		if gone == 0 {
			return r.commit(ctx, s)
		}
	}
	return fmt.Errorf("the grid lost packs %d times in a row: %w", maxRounds, vault.ErrNotStored)
}

// round learns what is stored, stores the rest and fills in s.
func (r *run) round(ctx context.Context, s *snapshot.Snapshot) error {
	r.index, r.old = newIndex(), make(map[snapshot.PackID]snapshot.Pack)
	if err := r.learnPacks(ctx); err != nil {
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
	if r.parent != nil {
		s.Parent = r.parent.Sequence
	}
	fresh := Report{Info: s.Info, ParentProblems: r.report.ParentProblems, RolledBack: r.report.RolledBack, Dropped: r.report.Dropped, Resumed: r.report.Resumed, Packs: r.report.Packs, Lost: r.report.Lost}
	*r.report = fresh
	return r.store(ctx, s)
}

// findParent loads the newest snapshot that can be loaded, the pinned one
// included; if one of the newest has all our folders, that one: a backup of
// some of them in between must not make all others new.
func (r *run) findParent(ctx context.Context, d *vault.Directory) error {
	caps := d.Snapshots
	if pin := r.o.Pin; pin.Sequence > 0 {
		r.report.RolledBack = pin.Sequence > d.Newest()
		if _, known := caps[pin.Sequence]; !known {
			caps[pin.Sequence] = pin.Snapshot
		}
	}
	const look = 10
	for i, n := range d.Numbers() {
		if i >= look && r.parent != nil {
			return nil
		}
		s, err := r.v.Load(ctx, caps[n], n)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, snapshot.ErrVersion), errors.Is(err, tahoeclient.ErrNotAnswering):
			return err
		case err != nil:
			r.report.ParentProblems = append(r.report.ParentProblems, err)
			continue
		}
		if r.parent == nil {
			r.parent = s
			r.report.Dropped = r.lacks(s)
		}
		if r.covers(s) {
			r.parent = s
			return nil
		}
	}
	return nil
}

// lacks names the folders of s that this run leaves away.
func (r *run) lacks(s *snapshot.Snapshot) (names []string) {
	for _, f := range s.Folders {
		if !slices.ContainsFunc(r.o.Folders, func(o Folder) bool { return o.Name == f.Name }) {
			names = append(names, f.Name)
		}
	}
	return names
}

// covers reports whether s has all the folders of this run.
func (r *run) covers(s *snapshot.Snapshot) bool {
	for _, f := range r.o.Folders {
		if !slices.ContainsFunc(s.Folders, func(g snapshot.Folder) bool { return g.Name == f.Name }) {
			return false
		}
	}
	return true
}

// learn fills the index from the parent's listing, so that content that was
// moved, copied or restored is recognised wherever it is now. A listing that
// cannot be read costs the comparison, not the backup.
func (r *run) learn(ctx context.Context) error {
	for _, ref := range r.parent.Listing {
		r.know(ref)
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
		if errors.Is(err, tahoeclient.ErrNotAnswering) {
			return err
		}
		if err != nil {
			r.report.ParentProblems = append(r.report.ParentProblems, err)
			r.parent = nil // what was learnt so far is still true
			return nil
		}
		for _, ref := range e.Chunks {
			if r.parent.CheckRef(ref) == nil {
				r.know(ref)
			}
		}
	}
}

// know adds a stored chunk to the index, unless its pack is lost.
func (r *run) know(ref snapshot.ChunkRef) {
	if !r.lost[ref.Pack] {
		r.index.add(ref)
	}
}

// resume takes over the packs that an unfinished run has noted.
func (r *run) resume(ctx context.Context, d *vault.Directory) error {
	c, err := r.v.ReadCheckpoint(ctx, d)
	if err != nil {
		return ctx.Err() // an unreadable checkpoint only costs what it would have saved
	}
	for id, p := range c.Packs {
		r.stored[id] = p
	}
	r.report.Resumed = len(r.stored)
	return nil
}

// learnPacks fills the index from the footers of packs that no snapshot has
// yet. A pack that cannot be read is stored again.
func (r *run) learnPacks(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(smallRequests)
	var mu sync.Mutex
	for id, p := range r.stored {
		if r.lost[id] {
			continue
		}
		g.Go(func() error {
			refs, err := r.v.Contents(gctx, p)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.lost[id] = true
				return gctx.Err()
			}
			for _, ref := range refs {
				r.index.add(ref)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// store runs the pipeline and fills in what s says.
func (r *run) store(ctx context.Context, s *snapshot.Snapshot) error {
	r.tracker.SetPhase(progress.PhaseFiles)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	parent, err := openParent(ctx, r.v, r.parent, r.lost)
	if err != nil {
		return err
	}
	defer parent.close()

	uploads := r.o.Uploads
	if uploads <= 0 {
		uploads = DefaultUploads
	}
	up := newUploader(r.v, r.w, r.tracker, uploads, r.stored)
	content := &packer{ctx: ctx, fail: fail, keys: r.v.Keys, up: up}
	listing := &listingPacker{packer: packer{ctx: ctx, fail: fail, keys: r.v.Keys, up: up}, index: r.index, stored: r.o.Stored}
	read := newReader(r.o, r.v.Keys, r.index, parent)
	pipe, write := io.Pipe()
	c := &collector{
		ctx: ctx, reader: read, index: r.index, packer: content,
		listing: snapshot.NewListingWriter(write), tracker: r.tracker, report: r.report,
		used: make(map[snapshot.PackID]bool), heirs: make(map[string][]byte),
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
	err = errors.Join(err, up.wait())
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	r.report.LeftOut = read.left
	r.report.Packs += content.full + listing.full
	if parent.err != nil {
		r.report.ParentProblems = append(r.report.ParentProblems, parent.err)
	}
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
		p, ok := r.stored[id]
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
	entries, files, bytes, err := count(ctx, r.o)
	if err == nil {
		var sum int64
		for _, n := range bytes {
			sum += n
		}
		r.tracker.SetFolders(bytes)
		r.tracker.SetFiles(files)
		r.tracker.SetTotals(entries, sum)
	}
	return nil // the real walk meets the same error and reports it
}

// commit links the snapshot: from here on it counts.
func (r *run) commit(ctx context.Context, s *snapshot.Snapshot) error {
	r.tracker.SetPhase(progress.PhaseCommit)
	stored, err := r.w.Commit(ctx, s)
	if err != nil {
		return err
	}
	r.report.Snapshot = stored
	r.tracker.SetPhase(progress.PhaseDone)
	return nil
}

// smallRequests is how many requests without much data run at once.
const smallRequests = 8

// verify asks for the shares of every pack that s needs, new or old, and reads
// the listing back. It returns how many packs are gone; they are noted as lost.
func (r *run) verify(ctx context.Context, s *snapshot.Snapshot) (gone int, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(smallRequests)
	var mu sync.Mutex
	for id, p := range s.Packs {
		g.Go(func() error {
			h, err := r.v.Check(gctx, p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case !h.Recoverable:
				gone++
				r.lost[id] = true
				delete(r.stored, id)
			case !h.Healthy, h.GoodHosts < min(h.SharesTotal, len(h.RespondingServers)):
				r.report.Weak++
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	if gone > 0 {
		r.report.Lost += gone
		return gone, nil
	}
	return 0, r.readBack(ctx, s)
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
// Otherwise the mark runs out by itself.
func (r *run) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	r.w.Leave(ctx, vault.Checkpoint{Packs: r.stored})
}
