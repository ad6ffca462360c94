package core

import (
	"context"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// ForgetReport says what Forget did, or would do.
type ForgetReport struct {
	Verdicts []Verdict // newest first
	// Packs that nothing needs any more, and their bytes. An estimate knows only
	// those that no snapshot that stays names.
	Packs int
	Bytes int64
	// Unread says why nothing would be forgotten now: see ErrUnread.
	Unread error
	// Repack and what follows are of Forget only.
	Repack   backup.RepackReport
	Reissued []uint64 // snapshots that now name other packs
	Sent     int64    // bytes handed to the gateway
	Expiry   Expiry
	Elapsed  time.Duration
}

// Forgotten are the numbers of the snapshots that go, newest first.
func (r ForgetReport) Forgotten() (numbers []uint64) {
	for _, v := range r.Verdicts {
		if len(v.Keep) == 0 {
			numbers = append(numbers, v.Info.Sequence)
		}
	}
	return numbers
}

// checkForget refuses a plan that cannot be meant.
func (g *Grid) checkForget(p ForgetPlan) error {
	if g.access.owner == nil {
		return ErrReadOnly
	}
	if len(p.Numbers) > 0 {
		return nil
	}
	return p.Keep.Validate()
}

// EstimateForget says what Forget would do, as far as it can be known without
// reading listings. It changes nothing.
func (g *Grid) EstimateForget(ctx context.Context, p ForgetPlan) (ForgetReport, error) {
	if err := g.checkForget(p); err != nil {
		return ForgetReport{}, err
	}
	if err := g.WaitToRead(ctx); err != nil {
		return ForgetReport{}, err
	}
	f, err := g.judge(ctx, p)
	if err != nil {
		return ForgetReport{}, err
	}
	r := ForgetReport{Verdicts: f.verdicts, Unread: f.unread(), Expiry: g.expiry()}
	r.Packs, r.Bytes = f.unused(f.neededByOthers)
	return r, nil
}

// Forget unlinks snapshots, moves what is needed out of packs of which less than
// half is (unless the plan says not to), and takes from the caretakers' list what
// nothing needs any more. It deletes nothing: servers do, some time, or never;
// see Expiry.
//
// Until everything new is stored, confirmed and read back, no snapshot changes.
// Then those that stay are linked in their new form in one update, and then the
// others are unlinked. A run that is cut off at any point leaves every snapshot
// that is still linked whole, and doing it again does the rest.
func (g *Grid) Forget(ctx context.Context, c Config, p ForgetPlan, t *progress.Tracker) (ForgetReport, error) {
	started, before := time.Now(), g.vault.Sent()
	var r ForgetReport
	if err := g.checkForget(p); err != nil {
		return r, err
	}
	unlock, err := lock(c, g.access)
	if err != nil {
		return r, err
	}
	defer unlock()
	if err := g.WaitToWrite(ctx); err != nil {
		return r, err
	}
	t.SetPhase(progress.PhaseForget)
	err = g.vault.Hold(ctx, p.BreakMark, func(ctx context.Context, w *vault.Writer) error {
		f, err := g.judge(ctx, p)
		if err != nil {
			return err
		}
		if err := f.unread(); err != nil {
			return err
		}
		r.Verdicts = f.verdicts
		return g.forget(ctx, w, f, p, &r, t)
	})
	r.Sent, r.Expiry, r.Elapsed = g.vault.Sent()-before, g.expiry(), time.Since(started)
	if err == nil {
		t.SetPhase(progress.PhaseDone)
	}
	return r, err
}

func (g *Grid) forget(ctx context.Context, w *vault.Writer, f *forgetting, p ForgetPlan, r *ForgetReport, t *progress.Tracker) error {
	needed := make(map[tahoeclient.Cap]bool)
	need := func(s *snapshot.Snapshot) {
		for _, pack := range s.Packs {
			needed[pack.Cap] = true
		}
	}
	var pinned *snapshot.Snapshot
	if f.Pinned != 0 {
		var err error
		if pinned, err = g.vault.Load(ctx, f.pinned.Cap, f.Pinned); err != nil {
			return err
		}
		need(pinned)
	}
	renew := func(*snapshot.Snapshot) (*snapshot.Snapshot, error) { return nil, nil }
	if !p.NoRepack {
		repacked, err := backup.Repack(ctx, g.vault, f.stay(), pinned, t)
		if err != nil {
			return err
		}
		r.Repack, renew = repacked.Report, repacked.Renew
	}
	t.SetPhase(progress.PhaseCommit)
	var err error
	r.Reissued, err = w.Reissue(ctx, vault.Change{Drop: f.drop, Strict: true, Renew: func(s *snapshot.Snapshot) (*snapshot.Snapshot, error) {
		fresh, err := renew(s)
		if fresh != nil {
			need(fresh)
		} else {
			need(s)
		}
		return fresh, err
	}})
	if err != nil {
		return err
	}
	r.Packs, r.Bytes = f.unused(func(o vault.Object) bool { return needed[o.Cap] })
	return nil
}
