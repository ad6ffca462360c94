package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// windowsAtOnce lets the next window be fetched while one is synced.
const windowsAtOnce = 2

// Run restores s as o says. Entries that cannot be restored are Problems in the
// Report and the run goes on; a full disk, a grid out of reach or the end of
// ctx ends it, and everything restored until then stands, complete.
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
	buf       []byte // the planner's, to read existing files

	folders []*snapshot.Entry // whose metadata is set at the end
	links   []*snapshot.Entry // made when all files are there
	// aliases are files of several names that are not selected themselves,
	// by path: another name that is selected gets their content.
	aliases map[string]*snapshot.Entry
	blocked []byte // below this folder nothing can be restored
	why     error  // nothing can
	// continued: a run before this one was cut off.
	continued bool
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
	r.tracker.SetPhase(progress.PhaseRestore)
	n := r.o.Downloads
	if n <= 0 {
		n = DefaultDownloads
	}
	r.slots = semaphore.NewWeighted(int64(n))
	r.aliases, r.lost = make(map[string]*snapshot.Entry), make(map[string]bool)
	if err := r.files(ctx); err != nil {
		return err
	}
	r.tracker.SetPhase(progress.PhaseFinish)
	if err := r.finishTree(ctx); err != nil {
		return err
	}
	r.tracker.SetPhase(progress.PhaseDone)
	return r.end()
}

// unfinished is the name of a file that stands beside the restored folders
// until a run is complete. A run that finds it continues: folders that are
// there are its own and get their metadata at the end.
const unfinished = ".hidden-backup-unfinished"

func (r *run) begin() error {
	for _, tree := range r.targets.trees {
		_, err := tree.Lstat([]byte(unfinished), false)
		if err == nil {
			r.continued = true
		} else if err := r.mark(tree); err != nil {
			return err
		}
		// The lock ends with the process, the mark with the work.
		f, err := tree.OpenRead([]byte(unfinished))
		if err != nil {
			return err
		}
		r.marks = append(r.marks, f)
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return ErrTargetBusy
		}
		if _, err := tree.SweepStaged(nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) mark(tree *localfs.Tree) error {
	mark, err := tree.Stage([]byte(unfinished))
	if err != nil {
		return err
	}
	return mark.Commit(true)
}

func (r *run) end() error {
	for _, tree := range r.targets.trees {
		if err := tree.Remove([]byte(unfinished)); err != nil {
			return err
		}
	}
	return nil
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
		// complete in their order and a run that is cut off has most of them.
		w.before, before = before, w.started
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

func (r *run) plan(ctx context.Context, start func(*window)) error {
	w := newWindow()
	err := r.each(ctx, func(e *snapshot.Entry) error {
		f, err := r.entry(e)
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
		start(w)
	}
	return err
}

// each reads the listing and calls use for every wanted entry that has a place.
func (r *run) each(ctx context.Context, use func(*snapshot.Entry) error) error {
	return eachEntry(ctx, r.v, r.s, r.fetched, func(e *snapshot.Entry) error {
		if _, ok := r.o.Places[e.Folder()]; !ok || r.tooLate(e.Folder()) {
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

func (r *run) tooLate(folder string) bool {
	if r.o.Tier == 0 {
		return false
	}
	i := slices.IndexFunc(r.s.Folders, func(f snapshot.Folder) bool { return f.Name == folder })
	return i >= 0 && r.s.Folders[i].Tier > r.o.Tier
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

// entry handles one wanted entry. It returns a file whose content is to be
// fetched, or nil. Its error ends the run.
func (r *run) entry(e *snapshot.Entry) (*file, error) {
	if r.blocked != nil && below(e.Path, r.blocked) {
		return nil, r.entryError(e, r.why)
	}
	tree, path, _ := r.targets.locate(e.Path)
	if e.Type == snapshot.TypeHardlink {
		alias, ok := r.aliases[string(e.Target)]
		if !ok || !bytes.Equal(alias.Path, e.Target) {
			if ok {
				e.Target = alias.Path
			}
			r.links = append(r.links, e)
			return nil, nil
		}
		// The first name of the file is not selected: this one takes its
		// place, for further names too.
		first := *alias
		first.Path = e.Path
		r.aliases[string(e.Target)] = &first
		e = &first
	}
	var err error
	switch e.Type {
	case snapshot.TypeDir:
		err = r.folder(tree, path, e)
	case snapshot.TypeFile:
		return r.file(tree, path, e)
	default:
		err = r.special(tree, path, e)
	}
	return nil, r.entryError(e, err)
}

// entryError turns what only concerns e into a Problem.
func (r *run) entryError(e *snapshot.Entry, err error) error {
	var meta *localfs.MetaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &meta):
		r.mu.Lock()
		r.report.warn(e.Path, err)
		r.mu.Unlock()
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return err
	case errors.Is(err, localfs.ErrInTheWay):
		err = ErrInTheWay
	case errors.Is(err, localfs.ErrExists):
		err = ErrDifferent
	}
	r.problem(e, err)
	return nil
}

func (r *run) folder(tree *localfs.Tree, path []byte, e *snapshot.Entry) error {
	there, _ := tree.Lstat(path, true)
	created, err := tree.Mkdir(path, 0o700)
	if err != nil {
		r.blocked, r.why = e.Path, err
		return err
	}
	switch {
	case created || r.continued || r.targets.fresh[string(e.Path)] || r.o.Overwrite != OverwriteNever:
		r.folders = append(r.folders, e)
	case there != nil && there.Mode&0o700 != 0o700:
		// Mkdir opened it up for us; it gets back what it had.
		there.Path = e.Path
		r.folders = append(r.folders, there)
	}
	if !created {
		if _, err := tree.SweepStaged(path); err != nil {
			return err
		}
	}
	r.counted(e, func(rep *Report) { rep.Folders++ })
	return nil
}

// file decides what happens to a file that may be there already.
func (r *run) file(tree *localfs.Tree, path []byte, e *snapshot.Entry) (*file, error) {
	f := &file{entry: e, tree: tree, path: path}
	there, err := tree.Lstat(path, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		r.lose(e)
		return nil, r.entryError(e, err)
	case there.Type == snapshot.TypeDir:
		r.lose(e)
		return nil, r.entryError(e, localfs.ErrInTheWay)
	}
	f.replace = true
	if r.o.Overwrite == OverwriteAlways {
		return f, nil
	}
	same := false
	if there.Type == snapshot.TypeFile && there.Size == e.Size {
		if same, err = sameContent(tree, path, e, &r.buf); err != nil {
			r.lose(e)
			return nil, r.entryError(e, err)
		}
	}
	switch {
	case same:
		r.tracker.Add(e.Size)
		r.counted(e, func(rep *Report) {
			rep.Present++
			rep.PresentBytes += e.Size
		})
		if r.o.Overwrite == OverwriteChanged {
			return nil, r.entryError(e, tree.SetMeta(path, e, r.meta()))
		}
		return nil, nil
	case r.o.Overwrite == OverwriteNever:
		r.lose(e)
		return nil, r.entryError(e, ErrDifferent)
	}
	return f, nil
}

// special makes what has no content: links, pipes, devices.
func (r *run) special(tree *localfs.Tree, path []byte, e *snapshot.Entry) error {
	there, err := tree.Lstat(path, false)
	exists := err == nil
	if exists && there.Type == e.Type && slices.Equal(there.Target, e.Target) && there.Device == e.Device {
		r.counted(e, func(rep *Report) { rep.Present++ })
		return nil
	}
	if exists && r.o.Overwrite == OverwriteNever {
		return ErrDifferent
	}
	put := tree.PutSpecial
	if e.Type == snapshot.TypeSymlink {
		put = tree.PutSymlink
	}
	if err := put(path, e, exists, r.meta()); err != nil {
		var meta *localfs.MetaError
		if !errors.As(err, &meta) {
			return err
		}
		r.entryError(e, err)
	}
	r.counted(e, func(rep *Report) {
		if e.Type == snapshot.TypeSymlink {
			rep.Links++
		} else {
			rep.Others++
		}
	})
	return nil
}

// finishTree makes hard links and then sets the folders' metadata, deepest
// first, because everything before changes their times.
func (r *run) finishTree(ctx context.Context) error {
	for _, e := range r.links {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.entryError(e, r.hardlink(e)); err != nil {
			return err
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

func (r *run) hardlink(e *snapshot.Entry) error {
	if r.lost[string(e.Target)] {
		return ErrLinkGone
	}
	tree, path, _ := r.targets.locate(e.Path)
	toTree, to, ok := r.targets.locate(e.Target)
	if !ok || toTree != tree {
		return fmt.Errorf("%w: it is in another folder", ErrLinkGone)
	}
	target, err := tree.Lstat(to, false)
	if err != nil {
		return ErrLinkGone
	}
	there, err := tree.Lstat(path, false)
	exists := err == nil
	if exists && there.Inode == target.Inode {
		r.counted(e, func(rep *Report) { rep.Present++ })
		return nil
	}
	if exists && r.o.Overwrite == OverwriteNever {
		return ErrDifferent
	}
	if err := tree.PutHardlink(path, to, exists); err != nil {
		return err
	}
	r.counted(e, func(rep *Report) { rep.Links++ })
	return nil
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
	if len(f.entry.Chunks) == 0 || f.entry.Chunks[len(f.entry.Chunks)-1].Hole() {
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

func (r *run) meta() localfs.MetaOptions {
	o := localfs.MetaOptions{Xattrs: true, KeepSetID: r.o.KeepSetID}
	if os.Geteuid() == 0 {
		o.Owner = localfs.OwnerNames
	}
	return o
}

// below reports whether path lies under the folder.
func below(path, folder []byte) bool {
	return len(path) > len(folder) && path[len(folder)] == '/' && string(path[:len(folder)]) == string(folder)
}
