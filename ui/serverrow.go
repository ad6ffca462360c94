package ui

import (
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// serverRow is one storage server in words.
type serverRow struct {
	row                *gtk.Box
	name, about, state *gtk.Label
}

func newServerRow() *serverRow {
	r := &serverRow{row: must(gtk.BoxNew(gtk.ORIENTATION_HORIZONTAL, 12)), name: must(gtk.LabelNew("")), about: dim(""), state: must(gtk.LabelNew(""))}
	for _, set := range []func(int){r.row.SetMarginStart, r.row.SetMarginEnd} {
		set(12)
	}
	for _, set := range []func(int){r.row.SetMarginTop, r.row.SetMarginBottom} {
		set(3)
	}
	r.name.SetXAlign(0)
	r.name.SetWidthChars(12)
	r.about.SetHExpand(true)
	r.state.SetXAlign(1)
	for _, l := range []*gtk.Label{r.name, r.about, r.state} {
		l.SetLineWrap(true)
		r.row.Add(l)
	}
	r.row.ShowAll()
	return r
}

func (r *serverRow) show(s core.ServerStatus, since time.Time) {
	r.name.SetText(shown(s.Name))
	r.about.SetText(serverAbout(s))
	r.state.SetText(serverText(s))
	r.row.SetTooltipText(serverDetail(s, since))
}
