package ui

import "github.com/gotk3/gotk3/gtk"

// start asks whether there is a manifest already.
type start struct {
	*page
	Again *gtk.Button `ui:"again_button"`
	New   *gtk.Button `ui:"new_button"`
}

// startBackup goes on with the manifest that is open, if one is that can.
func (w *window) startBackup() {
	if s := w.app.session; s != nil && s.owner() {
		w.openBackup(s)
		return
	}
	w.open(newStart(w).page)
}

func newStart(w *window) *start {
	p := &start{}
	p.page = w.newPage("start", T("Back Up"), p)
	p.focus = p.Again
	p.Again.Connect("clicked", func() {
		w.unlocked(T("Open the manifest of your backup to back up again."), w.openBackup)
	})
	p.New.Connect("clicked", func() { w.open(newJoin(w, &creation{}).page) })
	return p
}
