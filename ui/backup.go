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
func (w *window) openBackup(s *session) {
	if !s.owner() {
		w.top().explain(core.ErrReadOnly)
		return
	}
	w.open(newGrid(w, s, gridUse{title: T("Back Up"), label: T("_Back Up Now"), writes: true, then: w.backUp}).page)
}

func (w *window) backUp(s *session) {
	var r backup.Report
	grid, config := s.grid, w.app.config
	w.begin(&task{
		Title: T("Backing Up"),
		Parts: s.parts,
		Work: func(ctx context.Context, t *progress.Tracker) (err error) {
			r, err = grid.Backup(ctx, config, core.BackupPlan{}, t)
			return err
		},
		Ended: func(err error) (string, string) { return T("The Backup Has Ended"), backupOutcome(r, err).title },
		End:   func(w *window, err error) *page { return newBackupReport(w, s, r, err) },
	})
}

// folderParts are the folders in the order in which a backup goes through them,
// which is that of their names; a bar stands for each tier.
func folderParts(folders []manifest.Folder, sizes []int64) []part {
	order := make([]int, min(len(folders), len(sizes)))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(folders[a].Name, folders[b].Name) })
	var parts []part
	for tier := 1; tier <= 3; tier++ { // the bars stand in this order
		if slices.ContainsFunc(folders, func(f manifest.Folder) bool { return f.Priority() == tier }) {
			parts = append(parts, part{Name: tierName(uint8(tier))})
		}
	}
	for _, n := range order {
		parts = append(parts, part{Name: tierName(uint8(folders[n].Priority())), Bytes: sizes[n]})
	}
	return parts
}
