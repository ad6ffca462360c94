package ui

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
	"hiddenbackup/ui/internal/drop"
)

// unlock asks for a manifest and its passphrase. It never says which of the two
// is wrong, because nobody can know.
type unlock struct {
	*page
	Purpose     *gtk.Label          `ui:"purpose_label"`
	File        *gtk.Button         `ui:"file_button"`
	Paste       *gtk.ToggleButton   `ui:"paste_button"`
	PasteScroll *gtk.ScrolledWindow `ui:"paste_scroll"`
	PasteView   *gtk.TextView       `ui:"paste_view"`
	Found       *gtk.Label          `ui:"found_label"`
	Passphrase  *gtk.Entry          `ui:"passphrase_entry"`
	Show        *gtk.CheckButton    `ui:"show_check"`
	Busy        *gtk.Box            `ui:"busy_box"`
	Spinner     *gtk.Spinner        `ui:"busy_spinner"`
	BusyText    *gtk.Label          `ui:"busy_label"`
	Unlock      *gtk.Button         `ui:"unlock_button"`

	copy   paper.Copy // what was found; without a form: nothing yet
	sealed []byte     // the form to seal it in again
	path   string     // of the file it was found in, if that is the manifest itself
	busy   bool
	then   func(s *session, passphrase []byte)
}

// unlocked calls then with the manifest that is open, or asks for one first:
// purpose says what for. The page that asks is gone by then.
func (w *window) unlocked(purpose string, then func(*session)) {
	if s := w.app.session; s != nil {
		then(s)
		return
	}
	w.typed(purpose, func(s *session, passphrase []byte) {
		clear(passphrase)
		then(s)
	})
}

// typed has the passphrase typed even if the manifest is open, and calls then
// with it; it is then's to wipe.
func (w *window) typed(purpose string, then func(s *session, passphrase []byte)) {
	u := newUnlock(w, purpose, then)
	if s := w.app.session; s != nil {
		u.found(s.copy, s.sealed, s.file)
		u.focus = u.Passphrase
	}
	w.open(u.page)
}

func newUnlock(w *window, purpose string, then func(*session, []byte)) *unlock {
	u := &unlock{then: then}
	u.page = w.newPage("unlock", T("Unlock the Manifest"), u)
	u.Purpose.SetText(purpose)
	u.Purpose.SetVisible(purpose != "")
	u.initial = u.Unlock
	u.File.Connect("clicked", u.chooseFile)
	u.Paste.Connect("toggled", u.togglePaste)
	u.onText(u.PasteView, u.pasted, func() { u.explain(paper.ErrTooLarge) })
	u.Passphrase.Connect("changed", u.refresh)
	u.Show.Connect("toggled", func() { u.Passphrase.SetVisibility(u.Show.GetActive()) })
	u.Unlock.Connect("clicked", u.open)
	u.acceptDrops()
	u.refresh()
	return u
}

func (u *unlock) refresh() {
	text, _ := u.Passphrase.GetText()
	u.Unlock.SetSensitive(!u.busy && u.copy.Form != 0 && text != "")
	u.Passphrase.SetSensitive(!u.busy)
	u.File.SetSensitive(!u.busy)
	u.Paste.SetSensitive(!u.busy)
	u.PasteView.SetSensitive(!u.busy)
	u.Busy.SetVisible(u.busy)
	u.Spinner.SetVisible(u.busy)
	u.BusyText.SetVisible(u.busy)
	if u.busy {
		u.Spinner.Start()
	} else {
		u.Spinner.Stop()
	}
}

// wait shows that something takes a while; an empty text ends that.
func (u *unlock) wait(text string) {
	u.busy = text != ""
	u.BusyText.SetText(text)
	u.refresh()
}

func (u *unlock) chooseFile() {
	u.w.chooseFile(T("Choose the Manifest"), gtk.FILE_CHOOSER_ACTION_OPEN, T("_Open"), "", u.read)
}

// read looks at a file. A picture may take some seconds.
func (u *unlock) read(path string) {
	u.quiet()
	u.wait(T("Looking at the file…"))
	type looked struct {
		copy paper.Copy
		data []byte
	}
	run(u.ctx, func(context.Context) (l looked, err error) {
		if l.data, err = core.ReadCopy(path); err == nil {
			l.copy, err = paper.Inspect(l.data)
		}
		return l, err
	}, func(l looked, err error) {
		u.wait("")
		u.found(l.copy, l.data, path)
		if err != nil {
			u.explain(err)
			return
		}
		u.Passphrase.GrabFocus()
	})
}

// found shows what there is to open. The four words tell her that it is hers.
func (u *unlock) found(c paper.Copy, data []byte, path string) {
	u.copy, u.sealed, u.path = c, c.Sealed, ""
	if c.Form == paper.Bytes || c.Form == paper.Armour {
		u.sealed, u.path = data, path
	}
	switch {
	case c.Form == 0:
		u.Found.SetText("")
	case path != "":
		u.Found.SetText(fmt.Sprintf(T("%s. Its four words: %s"), short(filepath.Base(path), 40), c.Words))
	case c.Form == paper.Bytes:
		u.Found.SetText(fmt.Sprintf(T("The manifest that is open. Its four words: %s"), c.Words))
	default:
		u.Found.SetText(fmt.Sprintf(T("The text is whole. Its four words: %s"), c.Words))
	}
	u.refresh()
}

func (u *unlock) togglePaste() {
	u.PasteScroll.SetVisible(u.Paste.GetActive())
	u.PasteView.SetVisible(u.Paste.GetActive())
	if u.Paste.GetActive() {
		u.PasteView.GrabFocus()
	}
}

// pasted looks at the text each time it changes.
func (u *unlock) pasted() {
	text := textOf(u.PasteView)
	if text == "" || u.busy {
		return
	}
	c, err := paper.Inspect([]byte(text))
	switch {
	case err == nil && c.Form != paper.Bytes:
		u.quiet()
		u.found(c, []byte(text), "")
		u.Paste.SetActive(false) // room for what comes next
		u.Passphrase.GrabFocus()
		return
	case err == nil: // a text as long as a sealed manifest by accident
		err = manifest.ErrNotManifest
	}
	u.found(paper.Copy{}, nil, "")
	u.explain(err)
}

// acceptDrops takes a file that is dropped anywhere on the page.
func (u *unlock) acceptDrops() {
	uris := must(gtk.TargetEntryNew("text/uri-list", gtk.TARGET_OTHER_APP, 0))
	drop.Pass(u.Passphrase.ToWidget()) // it would keep a file off, or take its address for the passphrase
	u.content.DragDestSet(gtk.DEST_DEFAULT_ALL, []gtk.TargetEntry{*uris}, gdk.ACTION_COPY)
	u.content.Connect("drag-data-received", func(_ *gtk.Box, _ *gdk.DragContext, _, _ int, data *gtk.SelectionData) {
		// Not GetURIs: that of gotk3 reads beyond the list and ends the program.
		path := droppedFile(string(data.GetData()))
		switch {
		case u.busy:
		case path == "":
			u.found(paper.Copy{}, nil, "")
			u.explain(manifest.ErrNotManifest)
		default:
			u.read(path)
		}
	})
}

// droppedFile is the first file of a list of addresses, one a line (RFC 2483);
// empty if that is none on this computer.
func droppedFile(list string) string {
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		at, err := url.Parse(line)
		if err != nil || at.Scheme != "file" || at.Host != "" && at.Host != "localhost" {
			return ""
		}
		return at.Path
	}
	return ""
}

// open tries the passphrase. The key takes a second or more on purpose; the
// window lives on meanwhile.
func (u *unlock) open() {
	text, err := u.Passphrase.GetText()
	if err != nil || u.busy || u.copy.Form == 0 {
		return
	}
	u.Passphrase.SetText("")
	u.quiet()
	u.wait(T("Opening takes a few seconds, on purpose: that is what makes guessing hard."))
	sealed, pass := u.copy.Sealed, []byte(text)
	run(u.ctx, func(ctx context.Context) (*manifest.Opened, error) {
		o, err := manifest.Open(sealed, pass)
		if ctx.Err() != nil {
			clear(pass) // she has left, and nobody else does
		}
		return o, err
	}, func(o *manifest.Opened, err error) {
		u.wait("")
		a := u.w.app
		if s := a.session; err == nil && (s == nil || !bytes.Equal(s.copy.Sealed, sealed)) {
			_, err = a.openSession(o, u.copy, u.sealed, u.path)
		}
		if err != nil {
			clear(pass)
			u.explain(err)
			u.Passphrase.GrabFocus()
			return
		}
		u.w.goBack()
		u.then(a.session, pass)
	})
}
