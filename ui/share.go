package ui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
)

// share gives a sealed manifest away: as a file, as text, as a QR code.
type share struct {
	*page
	File    *gtk.Button `ui:"file_button"`
	Copy    *gtk.Button `ui:"copy_button"`
	Show    *gtk.Button `ui:"show_button"`
	Picture *gtk.Button `ui:"picture_button"`
	Card    *gtk.Button `ui:"card_button"`
	To      *gtk.Entry  `ui:"to_entry"`
	Done    *gtk.Label  `ui:"done_label"`
	Words   *gtk.Label  `ui:"words_label"`
	Step    *gtk.Label  `ui:"step_label"`
	Next    *gtk.Button `ui:"next_button"`

	copy paper.Copy
	step string
	kept bool // at least one copy is somewhere
}

// newShare shares a copy of a manifest. With next, nothing goes on before a copy
// is kept; step says of what longer way the page is part.
func newShare(w *window, c paper.Copy, step string, next func()) *share {
	p := &share{copy: c, step: step}
	p.page = w.newPage("share", T("Share the Manifest"), p)
	p.File.Connect("clicked", func() {
		p.saveCopy(T("Save the Manifest"), "my.manifest", func(out io.Writer) error { _, err := out.Write(p.copy.Sealed); return err })
	})
	p.Copy.Connect("clicked", p.copyText)
	p.Show.Connect("clicked", p.showCode)
	p.Picture.Connect("clicked", func() {
		p.saveCopy(T("Save a Picture of the QR Code"), "manifest.png", func(out io.Writer) error { return paper.WritePNG(out, p.copy.Sealed) })
	})
	p.Card.Connect("clicked", func() {
		to, _ := p.To.GetText()
		p.saveCopy(T("Save a Card to Print"), "card.pdf", func(out io.Writer) error {
			return paper.WriteCard(out, paper.Card{Sealed: p.copy.Sealed, To: to, Made: time.Now()})
		})
	})
	if next != nil {
		first := T("First save the manifest, copy it or show it")
		if step != "" {
			first = step + " · " + first
		}
		p.Step.SetText(first)
		p.Next.SetSensitive(false)
		p.Next.Connect("clicked", next)
		p.leaveTwice(func() bool { return p.kept }, T("First save the manifest, copy it or show it"))
	} else {
		p.kept = true
		p.Next.SetLabel(T("_Home"))
		p.Next.Connect("clicked", w.goHome)
	}
	p.initial = p.Next
	p.Words.SetText(c.Words)
	return p
}

func (p *share) saveCopy(title, name string, write func(io.Writer) error) {
	p.saveNew(title, name, write, func(path string) {
		p.done(fmt.Sprintf(T("Saved: %s. Give it away, then delete it here."), shown(path)))
	})
}

// done says what was kept. From now on she can go on.
func (p *share) done(text string) {
	p.kept = true
	p.Next.SetSensitive(true)
	p.Step.SetText(p.step)
	p.Done.SetText(text)
	p.Done.Show()
}

func (p *share) copyText() {
	text, err := manifest.Armour(p.copy.Sealed)
	if err != nil {
		p.explain(err)
		return
	}
	if err := copyText(string(text)); err != nil {
		p.explain(err)
		return
	}
	p.done(T("The text is copied. Paste it into a message; then copy something else."))
}

func (p *share) showCode() {
	sealed := p.copy.Sealed
	run(p.ctx, func(context.Context) ([]byte, error) {
		var b bytes.Buffer
		err := paper.WritePNG(&b, sealed)
		return b.Bytes(), err
	}, func(png []byte, err error) {
		if err == nil {
			err = p.w.openCode(png, T("QR Code of the Manifest"))
		}
		if err != nil {
			p.explain(err)
			return
		}
		p.done(T("The QR code was shown."))
	})
}

// shareManifest shares the manifest that is open, or a file: that takes no
// passphrase.
func (w *window) shareManifest() {
	if s := w.app.session; s != nil {
		w.open(newShare(w, s.copy, "", nil).page)
		return
	}
	w.chooseFile(T("Choose the Manifest to Share"), gtk.FILE_CHOOSER_ACTION_OPEN, T("_Open"), "", func(path string) {
		home := w.top()
		run(home.ctx, func(context.Context) (paper.Copy, error) {
			data, err := core.ReadCopy(path)
			if err != nil {
				return paper.Copy{}, err
			}
			return paper.Inspect(data)
		}, func(c paper.Copy, err error) {
			if err != nil {
				home.explain(err)
				return
			}
			w.open(newShare(w, c, "", nil).page)
		})
	})
}
