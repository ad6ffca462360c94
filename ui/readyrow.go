package ui

import (
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/ui/internal/accessible"
)

// readyRow is one item of the list: whether it is proven, in a sign and in
// words, and what gives it its proof.
type readyRow struct {
	row    *gtk.Box
	icon   *gtk.Image
	text   *gtk.Label
	button *gtk.Button
}

func newReadyRow(label string, do func()) *readyRow {
	r := &readyRow{row: must(gtk.BoxNew(gtk.ORIENTATION_HORIZONTAL, 12)), icon: must(gtk.ImageNew()), text: must(gtk.LabelNew("")), button: must(gtk.ButtonNewWithLabel(label))}
	r.text.SetLineWrap(true)
	r.text.SetXAlign(0)
	r.text.SetHExpand(true)
	r.button.SetVAlign(gtk.ALIGN_CENTER)
	r.button.Connect("clicked", do)
	r.row.Add(r.icon)
	r.row.Add(r.text)
	r.row.Add(r.button)
	return r
}

func (r *readyRow) show(green bool, text string) {
	r.text.SetText(text)
	if green {
		r.icon.SetFromIconName("emblem-ok-symbolic", gtk.ICON_SIZE_BUTTON)
		accessible.SetName(r.icon, T("Proven"))
	} else {
		r.icon.SetFromIconName("list-remove-symbolic", gtk.ICON_SIZE_BUTTON)
		accessible.SetName(r.icon, T("Not proven"))
	}
	r.row.ShowAll()
	r.button.SetVisible(!green)
}
