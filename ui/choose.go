package ui

import (
	"os"
	"path/filepath"
	"time"

	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/ui/internal/recent"
)

// chooseFile asks the desktop for a file or folder and calls chosen with its
// path, or not at all. It does not wait: a nested main loop would freeze the
// window for a screen reader.
func (w *window) chooseFile(title string, action gtk.FileChooserAction, accept, name string, chosen func(path string)) {
	w.choose(title, action, accept, name, false, func(paths []string) { chosen(paths[0]) })
}

// chooseFolders asks for folders: one, or several of the same place.
func (w *window) chooseFolders(title, accept string, chosen func(paths []string)) {
	w.choose(title, gtk.FILE_CHOOSER_ACTION_SELECT_FOLDER, accept, "", true, chosen)
}

func (w *window) choose(title string, action gtk.FileChooserAction, accept, name string, several bool, chosen func(paths []string)) {
	d := must(gtk.FileChooserNativeDialogNew(title, w.Window, action, accept, T("_Cancel")))
	d.SetModal(true)
	d.SetSelectMultiple(several)
	if action == gtk.FILE_CHOOSER_ACTION_SAVE {
		d.SetCurrentName(name)
		d.SetDoOverwriteConfirmation(false) // nothing is ever written over
	}
	// Not among the files she used last, which are nobody's business, either.
	start, _ := os.UserHomeDir()
	if w.last != "" && !several { // her folders are not where she put the manifest
		start = w.last
	}
	d.SetCurrentFolder(start)
	p := w.top()
	w.dialog = d // or the collector takes it while it is shown
	d.Connect("response", func(_ *glib.Object, response int) {
		paths, err := d.GetFilenames()
		d.Destroy()
		w.dialog = nil
		if gtk.ResponseType(response) != gtk.RESPONSE_ACCEPT || err != nil || len(paths) == 0 {
			return
		}
		// That somebody has a manifest is nobody's business.
		later(w.app.ctx, noted, func() {
			for _, path := range paths {
				recent.Forget(path)
			}
		})
		w.last = filepath.Dir(paths[0])
		if p.ctx.Err() == nil {
			chosen(paths)
		}
	})
	d.Show()
}

// noted is after how long GTK has noted a chosen file in its list of recent ones.
const noted = 2 * time.Second
