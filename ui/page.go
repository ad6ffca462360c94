package ui

import (
	"context"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// page is what all pages have. A page embeds it, and the window takes it.
type page struct {
	w     *window
	title string
	// ctx is over when the page is left for good.
	ctx   context.Context
	leave context.CancelFunc

	content *gtk.Box
	actions *gtk.Box                 // the buttons below; nil: none
	place   gtk.IWidget              // what the stack holds
	focus   interface{ GrabFocus() } // gets the keyboard first; nil: the first that can
	initial *gtk.Button              // Return presses it; nil: none
	// entered is called each time the page comes up; nil: nothing to do.
	entered func()
	// task is the one whose progress this page shows; nil for other pages.
	task *task
	// back is asked before Back leaves the page; nil: it may be left.
	back func() bool
}

// newPage builds the page of that name and binds its widgets. The file has a
// GtkBox “content” and may have a GtkBox “actions”, for the buttons that stand
// below and do not scroll.
func (w *window) newPage(name, title string, widgets any) *page {
	p := &page{w: w, title: title}
	p.ctx, p.leave = context.WithCancel(w.app.ctx)
	b := load(name, widgets)
	p.content = objectOf(b, name, "content").(*gtk.Box)
	if actions, err := b.GetObject("actions"); err == nil {
		p.actions = actions.(*gtk.Box)
		p.actions.ShowAll()
	}
	scroll := must(gtk.ScrolledWindowNew(nil, nil))
	scroll.SetPolicy(gtk.POLICY_NEVER, gtk.POLICY_AUTOMATIC)
	scroll.Add(p.content)
	scroll.ShowAll()
	p.place = scroll
	return p
}

// explain shows why something did not work: what happened, what is safe, what
// to do.
func (p *page) explain(err error) { p.tell(explain(err)) }

// tell shows a message, if this is the page that is up.
func (p *page) tell(m core.Message) {
	if p.w.top() == p {
		p.w.show(m)
	}
}

// quiet takes the message away.
func (p *page) quiet() {
	if p.w.top() == p {
		p.w.hush()
	}
}

// mostPasted is beyond the text of any manifest, which has a third of a megabyte
// at most.
const mostPasted = 512 << 10

// onText calls f when the text of view changes. What would make it longer than
// any that belongs there is kept out before it is in, and tooLong called: to lay
// out a long line takes GTK many seconds. A text outlives its widget: what
// listens to it is taken off when the page is left, or both stay for ever.
func (p *page) onText(view *gtk.TextView, f, tooLong func()) {
	b := must(view.GetBuffer())
	bound := b.Connect("insert-text", func(_ *gtk.TextBuffer, _ *gtk.TextIter, text string) {
		if b.GetCharCount()+len(text) > mostPasted {
			b.StopEmission("insert-text")
			tooLong()
		}
	})
	changed := b.Connect("changed", f)
	when(p.ctx, func() {
		b.HandlerDisconnect(bound)
		b.HandlerDisconnect(changed)
	})
}

// textOf is the whole text of view.
func textOf(view *gtk.TextView) string {
	b := must(view.GetBuffer())
	start, end := b.GetBounds()
	text, _ := b.GetText(start, end, false)
	return text
}

func setText(view *gtk.TextView, text string) { must(view.GetBuffer()).SetText(text) }
