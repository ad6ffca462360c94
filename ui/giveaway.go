package ui

import (
	"bytes"
	"context"
	"io"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
)

// saveNew writes to a new file that she chooses. What goes into it is made
// before the file is, and never written over another one.
func (p *page) saveNew(title, name string, write func(io.Writer) error, done func(path string)) {
	p.w.chooseFile(title, gtk.FILE_CHOOSER_ACTION_SAVE, T("_Save"), name, func(path string) {
		p.quiet()
		run(p.ctx, func(context.Context) (struct{}, error) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, manifest.Save(path, b.Bytes())
		}, func(_ struct{}, err error) {
			if err != nil {
				p.explain(err)
				return
			}
			done(path)
		})
	})
}

// copyText puts text where the next Paste takes it from, also after this program
// has ended.
func copyText(text string) error {
	board, err := gtk.ClipboardGet(gdk.SELECTION_CLIPBOARD)
	if err != nil {
		return err
	}
	board.SetText(text)
	board.Store()
	return nil
}

// leaveTwice is for a page whose Back, and whose window's close, loses something:
// unless it is kept it takes two, and the first says why.
func (p *page) leaveTwice(kept func() bool, why string) {
	warned := false
	p.back = func() bool {
		if kept() || warned {
			return true
		}
		warned = true
		p.tell(core.Message{Title: why, Hint: T("Go back once more to leave it."), Exit: core.ExitUsage})
		return false
	}
}
