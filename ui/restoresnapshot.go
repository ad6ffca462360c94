package ui

import (
	"fmt"
	"slices"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/snapshot"
)

// restoreSnapshot asks which snapshot to restore.
type restoreSnapshot struct {
	*page
	Step  *gtk.Label  `ui:"step_label"`
	Title *gtk.Label  `ui:"title_label"`
	Rows  *gtk.Box    `ui:"rows_box"`
	Notes *gtk.Label  `ui:"notes_label"`
	Next  *gtk.Button `ui:"next_button"`

	g       *guide
	buttons map[uint64]*gtk.RadioButton
}

func newRestoreSnapshot(g *guide) *restoreSnapshot {
	p := &restoreSnapshot{g: g, buttons: make(map[uint64]*gtk.RadioButton)}
	p.page = g.w.newPage("restoresnapshot", T("Choose a Snapshot"), p)
	p.Step.SetText(step(3))
	p.initial = p.Next
	p.makeRows(snapshotOrder(g.list))
	p.Notes.SetText(brokenText(g.list))
	p.Notes.SetVisible(p.Notes.GetLabel() != "")
	p.entered = p.warn
	p.Next.Connect("clicked", func() {
		for n, b := range p.buttons {
			if b.GetActive() {
				g.w.open(newRestoreWhat(g, n).page)
				return
			}
		}
	})
	return p
}

// snapshotOrder puts the snapshot that the manifest names first, and the others
// behind it, newest first.
func snapshotOrder(list *core.Snapshots) []snapshot.Info {
	infos := slices.Clone(list.Infos)
	slices.SortStableFunc(infos, func(a, b snapshot.Info) int {
		switch {
		case a.Sequence == list.Pinned:
			return -1
		case b.Sequence == list.Pinned:
			return 1
		}
		return int(int64(b.Sequence) - int64(a.Sequence))
	})
	return infos
}

// makeRows makes a button for each snapshot. The newest is chosen.
func (p *restoreSnapshot) makeRows(infos []snapshot.Info) {
	var newest uint64
	for _, i := range infos {
		newest = max(newest, i.Sequence)
	}
	var group *gtk.RadioButton
	for _, i := range infos {
		b := must(gtk.RadioButtonNewWithLabelFromWidget(group, snapshotText(i, p.g.list.Pinned, newest)))
		group = b
		if child, err := b.GetChild(); err == nil {
			if l, ok := child.(*gtk.Label); ok {
				l.SetLineWrap(true)
				l.SetXAlign(0)
			}
		}
		b.SetActive(i.Sequence == newest)
		b.Show()
		p.Rows.Add(b)
		p.buttons[i.Sequence] = b
	}
	p.Next.SetSensitive(len(infos) > 0)
	if len(infos) == 0 {
		p.Title.SetText(T("There is no snapshot that can be read."))
		return
	}
	p.focus = p.buttons[newest]
}

// snapshotText says what a snapshot is.
func snapshotText(i snapshot.Info, pinned, newest uint64) string {
	text := fmt.Sprintf(T("%s · %s, %s"), moment(i.Time), files(i.Totals.Files), size(i.Totals.Bytes))
	notes := ""
	switch {
	case i.Sequence == pinned && pinned == newest:
		notes = T("The newest, and the one your manifest names.")
	case i.Sequence == pinned:
		notes = T("The one your manifest names. A newer one was made later.")
	case i.Sequence == newest:
		notes = T("The newest.")
	}
	if i.Skipped > 0 {
		notes = lines(notes, fmt.Sprintf(N("It lacks %s entry that could not be read when it was made.", "It lacks %s entries that could not be read when it was made.", i.Skipped), count(i.Skipped)))
	}
	return lines(text, notes)
}

// brokenText names the snapshots that are there and cannot be read.
func brokenText(list *core.Snapshots) string {
	n := len(list.Broken)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(N("%d more snapshot cannot be read now. It may be again when more servers answer.",
		"%d more snapshots cannot be read now. They may be again when more servers answer.", n), n)
}

// warn says what is strange about the grid, loudly.
func (p *restoreSnapshot) warn() {
	switch {
	case p.g.list.RolledBack:
		p.tell(core.Message{
			Title: T("The grid shows an older state than your manifest names."),
			Safe:  T("The snapshot your manifest names is listed all the same, and can be restored if its pieces are there."),
			Hint:  T("Servers with the newer state are away, or somebody hides it. If you can wait, try again later."),
			Exit:  core.ExitSkipped,
		})
	case p.g.list.NoVault != nil:
		p.tell(core.Message{
			Title:  T("The list of snapshots cannot be had from the grid."),
			Safe:   T("The snapshot that your manifest names is enough to restore everything in it."),
			Hint:   T("Newer ones, if there are any, are not shown. If you can wait, try again later."),
			Detail: p.g.list.NoVault.Error(), Exit: core.ExitSkipped,
		})
	}
}
