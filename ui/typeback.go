package ui

import (
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// typeback has the passphrase typed where it cannot be seen.
type typeback struct {
	*page
	Entry *gtk.Entry       `ui:"entry"`
	Show  *gtk.CheckButton `ui:"show_check"`
	Step  *gtk.Label       `ui:"step_label"`
	Next  *gtk.Button      `ui:"next_button"`

	c *creation
}

func newTypeback(w *window, c *creation) *typeback {
	p := &typeback{c: c}
	p.page = w.newPage("typeback", T("Back Up"), p)
	p.Step.SetText(c.step(stepPassphrase))
	p.focus, p.initial = p.Entry, p.Next
	p.Entry.Connect("changed", p.refresh)
	p.Show.Connect("toggled", func() { p.Entry.SetVisibility(p.Show.GetActive()) })
	p.Next.Connect("clicked", p.next)
	pass := c.passphrase
	when(p.ctx, func() { clear(pass) })
	p.refresh()
	return p
}

func (p *typeback) refresh() { p.Next.SetSensitive(p.Entry.GetTextLength() > 0) }

func (p *typeback) next() {
	text, _ := p.Entry.GetText()
	typed := []byte(text)
	defer clear(typed)
	p.Entry.SetText("")
	if !core.SamePassphrase(typed, p.c.passphrase) {
		p.tell(core.Message{Title: T("That was not it."), Safe: T("Nothing was made yet."),
			Hint: T("Type it once more, or go back to see it."), Exit: core.ExitUsage})
		p.Entry.GrabFocus()
		return
	}
	p.w.open(newMaking(p.w, p.c).page)
}
