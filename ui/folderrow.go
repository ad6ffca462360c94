package ui

import (
	"fmt"
	"strconv"

	"github.com/gotk3/gotk3/gtk"
	"github.com/gotk3/gotk3/pango"

	"hiddenbackup/core/progress"
	"hiddenbackup/ui/internal/accessible"
)

// folderRow is a folder that can be chosen.
type folderRow struct {
	path    string
	name    string // in the manifest, by which snapshots know it; empty: it is new
	row     *gtk.Box
	check   *gtk.CheckButton
	size    *gtk.Label
	tiers   *gtk.ComboBoxText
	counted *progress.Tracker // nil: not counted
}

// newFolderRow calls changed when the choice changes.
func newFolderRow(p preset, changed func()) *folderRow {
	r := &folderRow{path: p.path}
	r.check = must(gtk.CheckButtonNewWithLabel(shown(p.title)))
	r.check.SetActive(p.chosen)
	r.check.SetHExpand(true)
	where := dim(short(p.shown(), 60))
	if p.about != "" {
		where = dim(p.about)
		r.check.SetTooltipText(short(p.shown(), 200))
	}
	where.SetMarginStart(24)
	text := must(gtk.BoxNew(gtk.ORIENTATION_VERTICAL, 0))
	text.SetHExpand(true)
	text.Add(r.check)
	text.Add(where)
	r.size = dim("")
	r.size.SetXAlign(1)
	r.size.SetWidthChars(12)
	r.tiers = must(gtk.ComboBoxTextNew())
	for tier := 1; tier <= 3; tier++ {
		// The number says the order; the names alone do not.
		r.tiers.Append(strconv.Itoa(tier), fmt.Sprintf("%d. %s", tier, tierName(uint8(tier))))
	}
	r.tiers.SetActiveID(strconv.Itoa(p.tier))
	r.tiers.SetVAlign(gtk.ALIGN_CENTER)
	accessible.SetName(&r.tiers.Widget, fmt.Sprintf(T("When %s Comes Back"), shown(p.title)))
	r.row = must(gtk.BoxNew(gtk.ORIENTATION_HORIZONTAL, 12))
	for _, set := range []func(int){r.row.SetMarginStart, r.row.SetMarginEnd, r.row.SetMarginTop, r.row.SetMarginBottom} {
		set(6)
	}
	r.row.Add(text)
	r.row.Add(r.size)
	r.row.Add(r.tiers)
	r.row.ShowAll()
	r.check.Connect("toggled", func() {
		r.tiers.SetSensitive(r.check.GetActive())
		changed()
	})
	r.tiers.SetSensitive(p.chosen)
	return r
}

func (r *folderRow) tier() int {
	tier, err := strconv.Atoi(r.tiers.GetActiveID())
	if err != nil {
		return 2
	}
	return tier
}

// show shows what was counted and returns it.
func (r *folderRow) show() progress.Status {
	if r.counted == nil {
		r.size.SetText("")
		return progress.Status{}
	}
	s := r.counted.Status()
	r.size.SetText(size(s.Bytes))
	return s
}

// dim makes a label for what is less important.
func dim(text string) *gtk.Label {
	l := must(gtk.LabelNew(text))
	l.SetXAlign(0)
	l.SetLineWrap(true)
	l.SetLineWrapMode(pango.WRAP_WORD_CHAR)
	must(l.GetStyleContext()).AddClass("dim-label")
	return l
}
