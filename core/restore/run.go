package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// windowsAtOnce lets the next window be fetched while one is synced and another
// waits for its last pack: over a slow line the others would have nothing to do.
const windowsAtOnce = 3

// Run restores s as o says. Entries that cannot be restored are Problems in the
// Report and the run goes on; a full disk, a grid out of reach or the end of
// ctx ends it, and everything restored until then stands, complete. What was
// fetched of other files stands too, under temporary names, and the next run
// goes on from there; only a full disk gets that space back.
func Run(ctx context.Context, v *vault.Vault, s *snapshot.Snapshot, o Options, t *progress.Tracker) (Report, error) {
	started := time.Now()
	r := &run{v: v, s: s, o: o, tracker: t, selection: newSelection(o.Select)}
	r.report.Info = s.Info
	err := r.all(ctx)
	r.report.Elapsed = time.Since(started)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return r.report, err
}

// run is the state of one Run. The listing is read by one goroutine, the
// planner; mu guards what windows share with it.
type run struct {
	v         *vault.Vault
	s         *snapshot.Snapshot
	o         Options
	tracker   *progress.Tracker
	selection *selection
	targets   *targets
	slots     *semaphore.Weighted
	only      uint8  // the tier that is planned now; 0 while all are counted
	buf       []byte // the planner's, to read existing files

	folders []*snapshot.Entry // whose metadata is set at the end
	links   []*snapshot.Entry // made when all files are there
	// aliases are files of several names that are not selected themselves,
	// by path: another name that is selected gets their content.
	aliases map[string]*snapshot.Entry
	blocked []byte // below this folder nothing can be restored
	why     error  // nothing can
	// continued: a run before this one was cut off; its mark was in these.
	continued map[*localfs.Tree]bool
	marks     []*os.File // locked

	mu     sync.Mutex
	report Report
	lost   map[string]bool // files of several names that were not restored
}

func (r *run) all(ctx context.Context) error {
	r.tracker.SetPhase(progress.PhaseEstimate)
	var err error
	if r.targets, err = openTargets(r.s, r.o, true); err != nil {
		return err
	}
	defer r.targets.close()
	plan, err := r.estimate(ctx)
	if err != nil {
		return err
	}
	if err := r.selection.missing(); err != nil {
		return err
	}
	if err := r.targets.checkSpace(plan.need); err != nil {
		return err
	}
	defer func() {
		for _, f := range r.marks {
			f.Close()
		}
	}()
	if err := r.begin(); err != nil {
		return err
	}
	r.tracker.SetTotals(int64(plan.Entries), plan.Bytes)
	r.tracker.SetFiles(int64(plan.Files))
	r.tracker.SetPhase(progress.PhaseRestore)
	n := r.o.Downloads
	if n <= 0 {
		n = DefaultDownloads
	}
	r.slots = semaphore.NewWeighted(int64(n))
	r.aliases, r.lost = make(map[string]*snapshot.Entry), make(map[string]bool)
	if err := r.files(ctx); err != nil {
		if noSpace(err) != nil {
			r.targets.sweep()
		}
		return err
	}
	r.tracker.SetPhase(progress.PhaseFinish)
	if err := r.finishTree(ctx); err != nil {
		return err
	}
	r.tracker.SetPhase(progress.PhaseDone)
	return r.end()
}

// files reads the listing, does at once what needs no content, and hands
// windows of files on.
func (r *run) files(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(windowsAtOnce)
	before := make(chan struct{})
	close(before)
	err := r.plan(gctx, func(w *window) {
		// One window asks for its packs after the other, so that files are
		// complete in their order and a run that is cut off has most of them. A
		// tier has the lines for itself.
		w.before, before = before, w.started
		if w.final {
			before = w.fetched
		}
		g.Go(func() error { return w.run(gctx, r) })
	})
	if werr := g.Wait(); werr != nil {
		err = werr // the planner only saw its context end
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// plan goes through the listing once for each tier, so that what is needed
// first is there first: complete, under its name, while the rest still comes.
func (r *run) plan(ctx context.Context, start func(*window)) error {
	for _, r.only = range r.tiers() {
		if err := r.planTier(ctx, start); err != nil {
			return err
		}
	}
	return nil
}

// tiers are those of the folders to restore, the most urgent first.
func (r *run) tiers() (list []uint8) {
	for _, f := range r.s.Folders {
		if _, ok := r.o.Places[f.Name]; ok && !r.tooLate(f.Name) {
			list = append(list, r.tier(f.Name))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (r *run) planTier(ctx context.Context, start func(*window)) error {
	w := newWindow()
	err := r.each(ctx, func(e *snapshot.Entry) error {
		f, err := r.entry(ctx, e)
		if err != nil || f == nil {
			return err
		}
		if w.full(f.entry) {
			start(w)
			w = newWindow()
		}
		w.add(f)
		return nil
	})
	if err == nil && len(w.files) > 0 {
		w.final = true
		start(w)
	}
	return err
}

// each reads the listing and calls use for every wanted entry that has a place.
func (r *run) each(ctx context.Context, use func(*snapshot.Entry) error) error {
	return eachEntry(ctx, r.v, r.s, r.fetched, func(e *snapshot.Entry) error {
		if _, ok := r.o.Places[e.Folder()]; !ok || r.tooLate(e.Folder()) || r.only != 0 && r.tier(e.Folder()) != r.only {
			return nil
		}
		selected, onTheWay := r.selection.wants(e)
		if !selected && !onTheWay {
			if e.Type == snapshot.TypeFile && e.Links > 1 && r.aliases != nil {
				r.aliases[string(e.Path)] = e
			}
			return nil
		}
		return use(e)
	})
}

func (r *run) tooLate(folder string) bool { return r.o.Tier != 0 && r.tier(folder) > r.o.Tier }

// tier of a folder, from 1.
func (r *run) tier(folder string) uint8 {
	for _, f := range r.s.Folders {
		if f.Name == folder {
			return max(f.Tier, 1)
		}
	}
	return 1
}

// Entries calls use for every entry of s in path order.
func Entries(ctx context.Context, v *vault.Vault, s *snapshot.Snapshot, use func(*snapshot.Entry) error) error {
	return eachEntry(ctx, v, s, nil, use)
}

func eachEntry(ctx context.Context, v *vault.Vault, s *snapshot.Snapshot, moved func(int64), use func(*snapshot.Entry) error) error {
	l, err := v.Listing(ctx, s, moved)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		e, err := l.Next()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := use(e); err != nil {
			return err
		}
	}
}

// finishTree makes hard links, sweeps up, and then sets the folders' metadata,
// deepest first, because everything before changes their times.
func (r *run) finishTree(ctx context.Context) error {
	for _, e := range r.links {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.entryError(e, r.hardlink(e)); err != nil {
			return err
		}
	}
	for _, tree := range r.targets.trees {
		if r.ends(tree) {
			tree.SweepUnfinished()
		}
	}
	for _, e := range slices.Backward(r.folders) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		tree, path, _ := r.targets.locate(e.Path)
		if err := r.entryError(e, tree.SetMeta(path, e, r.meta())); err != nil {
			return err
		}
	}
	return r.targets.sync()
}

// stage makes the temporary file of f unless it is there. Without one, f is
// lost and its chunks are still fetched for others.
func (r *run) stage(f *file) (*localfs.Staged, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.staged != nil || f.fail != nil {
		return f.staged, nil
	}
	f.staged, f.fail = f.tree.Stage(f.path)
	return f.staged, noSpace(f.fail)
}

// write puts a chunk into a file. Only a full disk ends the run.
func (r *run) write(p place, plain []byte) error {
	staged, err := r.stage(p.f)
	if staged == nil {
		return err
	}
	if _, err := staged.WriteAt(plain, p.off); err != nil {
		p.f.failed(err)
		return noSpace(err)
	}
	p.f.left.Add(-1)
	r.tracker.Add(int64(len(plain)))
	n := p.f.written.Add(int64(len(plain)))
	if n/syncBytes == (n-int64(len(plain)))/syncBytes {
		return nil
	}
	if err := staged.Sync(); err != nil {
		p.f.failed(err)
		return noSpace(err)
	}
	return nil
}

func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return nil
}

// finish sets a complete file's length and metadata, still under its temporary
// name.
func (r *run) finish(f *file) error {
	if staged, err := r.stage(f); staged == nil {
		return err
	}
	if f.entry.Size >= syncBytes {
		// Once it has its metadata it may no longer be ours to continue: the
		// shorter the rest takes, the better.
		if err := f.staged.Sync(); err != nil {
			f.failed(err)
			return noSpace(err)
		}
	}
	if f.stands != nil || len(f.entry.Chunks) == 0 || f.entry.Chunks[len(f.entry.Chunks)-1].Hole() {
		if err := f.staged.Truncate(f.entry.Size); err != nil {
			f.failed(err)
			return noSpace(err)
		}
	}
	err := f.staged.Finish(f.entry, r.meta())
	var meta *localfs.MetaError
	if errors.As(err, &meta) {
		return r.entryError(f.entry, err)
	}
	if err != nil {
		f.failed(err)
	}
	return noSpace(err)
}

// done counts a file that was committed or has failed.
func (r *run) done(f *file) {
	if f.fail != nil {
		r.lose(f.entry)
		r.entryError(f.entry, f.fail)
		return
	}
	r.counted(f.entry, func(rep *Report) {
		rep.Files++
		rep.Bytes += f.entry.Size
	})
}

func (r *run) lose(e *snapshot.Entry) {
	if e.Links > 1 {
		r.mu.Lock()
		r.lost[string(e.Path)] = true
		r.mu.Unlock()
	}
}

func (r *run) problem(e *snapshot.Entry, err error) {
	r.tracker.Problem()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.problem(e.Path, err)
}

func (r *run) counted(e *snapshot.Entry, add func(*Report)) {
	r.tracker.Entry(string(e.Path))
	if e.Type == snapshot.TypeFile {
		r.tracker.File()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.report)
}

func (r *run) fetched(n int64) {
	r.tracker.Moved(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Fetched += n
}
