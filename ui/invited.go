package ui

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core/host"
)

// invited hands out an invite, which exists on this page alone.
type invited struct {
	*page
	Title *gtk.Label  `ui:"title_label"`
	Until *gtk.Label  `ui:"until_label"`
	File  *gtk.Button `ui:"file_button"`
	Copy  *gtk.Button `ui:"copy_button"`
	Show  *gtk.Button `ui:"show_button"`
	Done  *gtk.Label  `ui:"done_label"`
	Next  *gtk.Button `ui:"next_button"`

	given bool
}

func newInvited(w *window, name string, invite *host.Invite) *invited {
	p := &invited{}
	p.page = w.newPage("invited", T("Invite"), p)
	p.initial, p.focus = p.Next, p.File
	p.Title.SetText(fmt.Sprintf(T("The Invite for %s"), shown(name)))
	p.Until.SetText(fmt.Sprintf(T("It is good to be used until %s."), day(invite.Expires)))
	p.File.Connect("clicked", func() {
		p.saveNew(T("Save the Invite"), "hidden-backup.invite", func(out io.Writer) error {
			text, err := invite.Text()
			if err == nil {
				_, err = io.WriteString(out, text)
			}
			return err
		}, func(path string) {
			p.done(fmt.Sprintf(T("Saved: %s. Give it away, then delete it here."), shown(path)))
		})
	})
	p.Copy.Connect("clicked", func() {
		text, err := invite.Text()
		if err == nil {
			err = copyText(text)
		}
		if err != nil {
			p.explain(err)
			return
		}
		p.done(T("The text is copied. Paste it into a message; then copy something else."))
	})
	p.Show.Connect("clicked", func() {
		run(p.ctx, func(context.Context) ([]byte, error) {
			var b bytes.Buffer
			err := invite.WritePNG(&b)
			return b.Bytes(), err
		}, func(png []byte, err error) {
			if err == nil {
				err = w.openCode(png, T("QR Code of the Invite"))
			}
			if err != nil {
				p.explain(err)
				return
			}
			p.done(T("The QR code was shown."))
		})
	})
	p.Next.Connect("clicked", w.goBack)
	p.leaveTwice(func() bool { return p.given }, T("First save the invite, copy it or show it: it cannot be shown again."))
	return p
}

func (p *invited) done(text string) {
	p.given = true
	p.quiet()
	p.Done.SetText(text)
	p.Done.Show()
}
