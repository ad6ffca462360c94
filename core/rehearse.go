package core

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/upkeep"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

var (
	// ErrRehearsal: the rehearsal came to its end and showed that not everything
	// would come back as it was.
	ErrRehearsal = errors.New("the rehearsal failed")
	// ErrNoRoom: the files to restore do not fit where they are to go.
	ErrNoRoom = errors.New("not enough room for a rehearsal")
	// ErrBlank: the process that plays the blank computer ended too early.
	ErrBlank = errors.New("the blank computer ended early")
)

// RehearsalPlan says what to rehearse. Manifest and Passphrase are required,
// and all that the blank computer has.
type RehearsalPlan struct {
	Manifest   []byte // in any form
	Passphrase []byte // the caller wipes it
	// Typed: she typed it from memory just now, and that is noted too.
	Typed    bool
	Snapshot uint64 // 0: the newest
	// Full restores everything; otherwise the first tier and a random sample.
	Full bool
	// Target is a directory to restore below, in a new one; empty is in memory.
	Target string
	Keep   bool // do not remove the files at the end
}

// RehearsalReport says what a rehearsal proved.
type RehearsalReport struct {
	Info snapshot.Info
	Full bool
	// Passed: everything that was restored is as the snapshot has it, and
	// whatever the live folders have else changed after the snapshot or was left
	// out on purpose.
	Passed         bool
	Files          uint64
	Bytes, Fetched int64
	// First are the folders of the first tier. They and all were there so long
	// after a start with nothing.
	First                           []string
	FirstAfter, AllAfter, Restoring time.Duration
	// Proof is what the sample proves, zero without one. TooLarge files were not
	// drawn from; if there are no others, the smallest was restored all the same
	// and is not among them.
	Proof    upkeep.Assurance
	TooLarge int

	// What is strange about the vault, as Chosen has it.
	RolledBack bool
	NoVault    string
	Unreadable []string // newer snapshots
	Missing    []string // folders of the manifest that it does not hold

	Problems     []restore.Problem // not restored; at most some of ProblemCount
	ProblemCount uint64
	// Incomplete entries lack metadata that this machine or place cannot hold.
	Incomplete      []restore.Problem
	IncompleteCount uint64

	Copy Comparison // of the restored files with the snapshot
	Live Since

	InMemory bool
	Kept     string // where the files are; empty: removed
	// Recorded: the outcome is in the vault. Unrecorded says why it is not; both
	// are empty with a manifest that only allows restoring.
	Recorded   bool
	Unrecorded error
}

// Comparison is what a front end needs to name it.
type Comparison = restore.Comparison

// Rehearse restores as if everything were lost: a process with an empty home
// and a gateway of its own, which has the manifest and the passphrase and
// nothing else. Then it compares with the snapshot and with the live folders.
// Passed is the verdict; an error means that the rehearsal did not come to its
// end. Whatever happens, nothing is left but what Keep is about.
func Rehearse(ctx context.Context, c Config, p RehearsalPlan, t *progress.Tracker) (RehearsalReport, error) {
	r := &rehearsal{c: c, p: p, t: t, report: RehearsalReport{Full: p.Full}}
	t.SetPhase(progress.PhaseUnlock)
	opened, err := manifest.Open(p.Manifest, p.Passphrase)
	if err != nil {
		return r.report, err
	}
	if r.access, err = NewAccess(opened); err != nil {
		return r.report, err
	}
	if err := r.target(); err != nil {
		return r.report, err
	}
	err = r.run(ctx)
	t.SetPhase(progress.PhaseDone)
	return r.report, err
}

// rehearsal is the state of one Rehearse.
type rehearsal struct {
	c      Config
	p      RehearsalPlan
	t      *progress.Tracker
	access *Access
	home   string // of the person
	report RehearsalReport
	sample []string
	form   [32]byte // of the snapshot as it was restored
}

// target checks where the files are to go, as far as the manifest knows.
func (r *rehearsal) target() error {
	var err error
	if r.home, err = os.UserHomeDir(); err != nil {
		r.home = "/"
	}
	if r.p.Target == "" {
		return nil
	}
	if r.p.Target, err = filepath.Abs(r.p.Target); err != nil {
		return err
	}
	info, err := os.Stat(r.p.Target)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "restoring below", Path: r.p.Target, Err: errors.New("it is not a directory")}
	}
	if err != nil { // not made: it may be a disk that is not there
		return fmt.Errorf("%w: %w", restore.ErrNoPlace, err)
	}
	live := make(map[string]string)
	for _, f := range r.access.reader.Folders {
		live[f.Name] = f.Resolve(r.home)
	}
	return outside(r.p.Target, live)
}

func (r *rehearsal) run(ctx context.Context) (err error) {
	s, err := newStage(r.c, r.p.Target)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.close(); err == nil {
			err = cerr
		}
	}()
	r.report.InMemory = node.MemoryBacked(s.target)
	q := blankRequest{
		Manifest: r.p.Manifest, Passphrase: r.p.Passphrase, Snapshot: r.p.Snapshot, Full: r.p.Full,
		AllowDisk: r.c.AllowDisk, DownloadRate: r.c.DownloadRate, Wait: r.c.Wait, Tor: r.c.Tor, SAM: r.c.SAM,
	}
	if r.p.Target != "" {
		q.LiveHome = r.home
	}
	blank, err := play(ctx, s, q)
	if err != nil {
		return err
	}
	defer blank.end()
	result, err := blank.follow(ctx, r.t)
	if err != nil {
		return err
	}
	failure := r.take(result)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if failure != nil && !lasting(failure) {
		return failure
	}
	if err := r.judge(ctx, s, failure); err != nil {
		return err
	}
	if failure != nil || !r.p.Keep {
		return failure
	}
	r.report.Kept, err = s.keep()
	return err
}

// lasting tells a backup that is broken from a grid that is out of reach.
func lasting(err error) bool {
	return slices.ContainsFunc([]error{tahoeclient.ErrDamaged, snapshot.ErrSeal, snapshot.ErrChunk, snapshot.ErrFormat},
		func(lasting error) bool { return errors.Is(err, lasting) })
}

// take notes what the blank computer says and returns why it ended early.
func (r *rehearsal) take(b *blankResult) error {
	p := &r.report
	p.Info, p.Files, p.Bytes, p.Fetched = b.Info, b.Files, b.Bytes, b.Fetched
	p.First, p.FirstAfter, p.AllAfter, p.Restoring = b.First, b.FirstAfter, b.AllAfter, b.Restoring
	p.RolledBack, p.NoVault, p.Unreadable, p.Missing = b.RolledBack, b.NoVault, b.Unreadable, b.Missing
	p.Problems, p.ProblemCount = toldProblems(b.Problems), b.ProblemCount
	p.Incomplete, p.IncompleteCount = toldProblems(b.Warnings), b.WarningCount
	if !p.Full && b.SampleOf > 0 {
		p.Proof = upkeep.Prove(len(b.Sample), b.SampleOf)
	}
	p.TooLarge, r.form = b.TooLarge, b.Form
	for _, path := range b.Sample {
		r.sample = append(r.sample, string(path))
	}
	if b.Failure != nil {
		return b.Failure.told()
	}
	return nil
}

// judge compares what was restored, unless that failed, and notes the outcome.
func (r *rehearsal) judge(ctx context.Context, s *stage, failure error) error {
	r.t.Show(progress.Status{Phase: progress.PhaseConnect})
	g, err := Connect(ctx, r.c, r.access, r.t)
	if err != nil {
		return err
	}
	defer g.Close()
	p := &r.report
	if failure == nil {
		chosen, err := g.Choose(ctx, p.Info.Sequence)
		if err != nil {
			return err
		}
		if err := r.compare(ctx, g, chosen.Snapshot, s); err != nil {
			return err
		}
		p.Passed = p.passes(chosen.Totals)
	}
	if r.access.owner == nil {
		return nil
	}
	p.Unrecorded = r.record(ctx, g)
	p.Recorded = p.Unrecorded == nil
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// passes is the verdict. Restoring none of the files there are proves nothing.
func (p *RehearsalReport) passes(t snapshot.Totals) bool {
	return p.ProblemCount == 0 && p.Copy.Count == 0 && p.Live.Unexplained.Count == 0 &&
		len(p.Unreadable)+len(p.Missing) == 0 && (p.Files > 0 || t.Files == 0)
}

// record notes the outcome in the vault: the last one, whichever it is.
func (r *rehearsal) record(ctx context.Context, g *Grid) error {
	unlock, err := lock(r.c, r.access)
	if err != nil {
		return err
	}
	defer unlock()
	if err := g.notRolledBack(ctx); err != nil {
		return err
	}
	return g.vault.Amend(ctx, false, func(c *vault.Config) error {
		p := r.report
		c.Proofs.Rehearsed = vault.Rehearsal{
			Time: now(), Snapshot: p.Info.Sequence, Form: r.form, Full: p.Full, Passed: p.Passed,
			Files: p.Files, Bytes: p.Bytes, Fetched: p.Fetched, Elapsed: p.Restoring,
		}
		if r.p.Typed {
			c.Proofs.Recalled = now()
		}
		return nil
	})
}
