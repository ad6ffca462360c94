package ui

import "github.com/gotk3/gotk3/gtk"

// alone stands in the place of home when the program is open already and the
// desktop could not tell.
type alone struct {
	*page
	Close *gtk.Button `ui:"close_button"`
}

func newAlone(w *window) *alone {
	p := &alone{}
	p.page = w.newPage("alone", T("Hidden Backup"), p)
	p.initial = p.Close
	p.focus = p.Close
	p.Close.Connect("clicked", w.Window.Close)
	return p
}
