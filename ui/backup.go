package ui

import (
	"context"
	"slices"
	"strings"

	"hiddenbackup/core"
	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
)

// openBackup leads from an open manifest to a backup of what it names.
func (w *window) openBackup(s *session) { w.openBackupStep(s, "") }

// openBackupStep is openBackup as a step of a first backup; empty: it is none.
func (w *window) openBackupStep(s *session, step string) {
	if !s.owner() {
		w.top().explain(core.ErrReadOnly)
		return
	}
	use := gridUse{title: T("Back Up"), label: T("_Back Up Now"), step: step, writes: true, then: w.backUp}
	if step == "" {
		use.folders = w.changeFolders
	}
	w.open(newGrid(w, s, use).page)
}

func (w *window) backUp(s *session) {
	var r backup.Report
	grid, config := s.grid, w.app.config
	w.begin(&task{
		Title: T("Backing Up"),
		Parts: folderParts(s.opened.Owner.Folders),
		Grid:  grid, Writes: true,
		Work: func(ctx context.Context, t *progress.Tracker) (err error) {
			r, err = grid.Backup(ctx, config, core.BackupPlan{}, t)
			return err
		},
		Ended: func(err error) (string, string) { return T("The Backup Has Ended"), backupOutcome(r, err).title },
		End:   func(w *window, err error) *page { return newBackupReport(w, r, err) },
	})
}

// folderParts are the folders in the order in which a backup goes through them,
// which is that of their names; a bar stands for each tier. How large they are
// shows when they are counted.
func folderParts(folders []manifest.Folder) (parts []part) {
	for tier := 1; tier <= 3; tier++ { // the bars stand in this order
		if slices.ContainsFunc(folders, func(f manifest.Folder) bool { return f.Priority() == tier }) {
			parts = append(parts, part{Name: tierName(uint8(tier))})
		}
	}
	folders = slices.Clone(folders)
	slices.SortFunc(folders, func(a, b manifest.Folder) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range folders {
		parts = append(parts, part{Name: tierName(uint8(f.Priority()))})
	}
	return parts
}

// sized are the parts when the last of them are that large.
func sized(parts []part, bytes []int64) []part {
	parts = slices.Clone(parts)
	for i, n := range bytes {
		if at := len(parts) - len(bytes) + i; at >= 0 {
			parts[at].Bytes = n
		}
	}
	return parts
}
