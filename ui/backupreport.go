package ui

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hiddenbackup/core/backup"
)

// newBackupReport says what a backup proved, or why it did not end well.
func newBackupReport(w *window, r backup.Report, err error) *page {
	o := backupOutcome(r, err)
	if err != nil {
		o.next, o.then = T("_Try Again"), func() {
			w.goHome()
			w.unlocked(T("Open the manifest of your backup to back up again."), w.openBackup)
		}
	} else {
		o.next, o.then = T("Ready to _Wipe?"), w.readyToWipe
		if s := w.app.session; s.outdated(r) {
			o.notes = lines(o.notes, T("The manifests that you gave away name an older snapshot. They still find this one, as long as the servers show it."))
			before := s.opened.Owner
			o.also, o.alsoThen = T("Sh_are the Manifest Anew"), func() { w.shareAnew(before, r) }
		}
	}
	return newReport(w, T("Back Up"), o).page
}

func backupOutcome(r backup.Report, err error) outcome {
	o := outcome{all: r.ProblemCount}
	for _, p := range r.Problems {
		o.problems = append(o.problems, fmt.Sprintf("%s: %s", shown(p.Path), explain(p.Err).Title))
	}
	switch {
	case errors.Is(err, context.Canceled):
		o.title = T("Stopped")
		o.proof = T("What was stored is kept, and the next backup goes on from there. No snapshot was made of it.")
		return o
	case err != nil:
		f := failed(err)
		f.problems, f.all = o.problems, o.all
		return f
	}
	i := r.Info
	o.good = r.ProblemCount == 0 && r.Weak == 0 && !r.RolledBack
	o.title = fmt.Sprintf(T("Snapshot %d is complete"), i.Sequence)
	o.proof = lines(
		fmt.Sprintf(T("%s, %s, in %s."), files(i.Totals.Files), size(i.Totals.Bytes), span(r.Elapsed)),
		T("The snapshot and its list of files were read back and compared. The servers confirmed every pack that it needs."),
	)
	notes := []string{fmt.Sprintf(T("%s new, %s changed, %s unchanged. Sent: %s."), count(r.New), count(r.Changed), count(r.Unchanged), size(r.Sent))}
	if len(r.Dropped) > 0 {
		notes = append(notes, fmt.Sprintf(T("Not in it any more, and kept by the snapshots before: %s."), shown(strings.Join(r.Dropped, ", "))))
	}
	if r.Resumed > 0 {
		notes = append(notes, T("It went on from where an earlier backup was cut off."))
	}
	for _, reason := range slices.Sorted(maps.Keys(r.LeftOut)) {
		notes = append(notes, fmt.Sprintf(T("Left out on purpose (%s): %s."), T(string(reason)), count(r.LeftOut[reason])))
	}
	if r.Weak > 0 {
		notes = append(notes, fmt.Sprintf(N("%s pack is on fewer servers than planned. Back up again when more of them answer.", "%s packs are on fewer servers than planned. Back up again when more of them answer.", r.Weak), count(r.Weak)))
	}
	if r.Lost > 0 {
		notes = append(notes, T("Some of what older backups had stored was gone; it was stored again."))
	}
	if r.RolledBack {
		notes = append(notes, T("Warning: the grid showed a state older than your manifest. Servers with the newer one are away, or somebody hides it."))
	}
	o.notes = lines(notes...)
	return o
}
