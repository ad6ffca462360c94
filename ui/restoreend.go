package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/tails"
)

// start restores what the guide has gathered.
func (g *guide) start() {
	var (
		report  restore.Report
		storage tails.Storage
	)
	grid, chosen, options := g.s.grid, g.chosen, g.options()
	g.w.begin(&task{
		Title: T("Restoring"),
		Parts: g.parts(),
		Grid:  grid,
		Work: func(ctx context.Context, t *progress.Tracker) (err error) {
			storage = tails.Look(ctx)
			report, err = grid.Restore(ctx, chosen.Snapshot, options, t)
			return err
		},
		End: func(w *window, err error) *page {
			g.w = w // another one, if it was closed meanwhile
			return newReport(w, T("Restore"), g.outcome(report, storage, err)).page
		},
		Ended: func(err error) (title, text string) {
			o := g.outcome(report, storage, err)
			return o.title, o.proof
		},
	})
}

// outcome says what came of it.
func (g *guide) outcome(r restore.Report, storage tails.Storage, err error) outcome {
	o := outcome{proof: restoredText(r), all: r.ProblemCount + r.WarningCount}
	for _, p := range r.Problems {
		o.problems = append(o.problems, fmt.Sprintf(T("Not restored: %s. %s"), shown(p.Path), explain(p.Err).Title))
	}
	for _, p := range r.Warnings {
		o.problems = append(o.problems, fmt.Sprintf(T("Restored without some attributes: %s."), shown(p.Path)))
	}
	if err != nil {
		m := explain(err)
		o.title = m.Title
		o.notes = T("What stands is complete. Continuing fetches only what is missing.")
		if !errors.Is(err, context.Canceled) {
			o.notes = lines(m.Safe, m.Hint, m.Detail, o.notes)
		}
		o.next, o.then = T("_Continue Restoring"), g.start
		if g.w.app.session != g.s { // locked since: what stands is found whatever she chooses
			o.then = g.w.restoreGuide
		}
		return o
	}
	o.good = r.ProblemCount == 0
	switch {
	case !o.good:
		o.title = T("Restored, but Not Everything")
	case g.whole():
		o.title = T("Everything Is Back")
	default:
		o.title = T("What You Chose Is Back")
	}
	var notes []string
	for _, p := range r.Problems {
		if errors.Is(p, restore.ErrDifferent) {
			notes = append(notes, T("Files that differ were left alone. To replace them, restore again and choose Replace."))
			break
		}
	}
	if n := r.Info.Skipped; n > 0 {
		notes = append(notes, fmt.Sprintf(N("The snapshot itself lacks %s entry that could not be read when it was made.", "The snapshot itself lacks %s entries that could not be read when it was made.", n), count(n)))
	}
	o.notes = lines(append(notes, g.kept, byHandText(storage))...)
	return o
}

// restoredText says what was proven.
func restoredText(r restore.Report) string {
	if r.Info.Sequence == 0 {
		return ""
	}
	what := files(r.Files)
	if n := r.Links + r.Others; n > 0 {
		what = fmt.Sprintf(N("%s and %s link", "%s and %s links", n), what, count(n))
	}
	proof := []string{fmt.Sprintf(T("Restored %s, %s, from the snapshot of %s, in %s."), what, size(r.Bytes), moment(r.Info.Time), span(max(r.Elapsed, time.Second)))}
	if r.Files > 0 {
		proof = append(proof, T("Every piece was compared with its checksum before it was written."))
	}
	if r.Present > 0 {
		proof = append(proof, fmt.Sprintf(N("%s file was there already with the right content.", "%s files were there already with the right content.", r.Present), count(r.Present)))
	}
	if r.Continued > 0 {
		proof = append(proof, fmt.Sprintf(T("%s of unfinished files stood already and were right."), size(r.Continued)))
	}
	return strings.Join(proof, "\n")
}

// byHandText lists what no backup of ours holds. What was switched on before
// the journey nobody knows here, so it is all of it.
func byHandText(s tails.Storage) string {
	var rows []string
	for _, f := range s.Features {
		if f.ByHand != "" {
			rows = append(rows, fmt.Sprintf(T("• %s: %s"), T(f.Title), T(f.ByHand)))
		}
	}
	if len(rows) == 0 {
		return ""
	}
	return lines(append([]string{T("To set up by hand if you used it before, because no backup holds it:")}, rows...)...)
}
