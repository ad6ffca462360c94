package ui

import (
	"strings"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/ui/internal/accessible"
)

// window is the one window: a header bar, a sentence, a stack of pages of which
// the last is shown, and the buttons of that page.
type window struct {
	app   *application
	pages []*page

	Window     *gtk.ApplicationWindow       `ui:"window"`
	Header     *gtk.HeaderBar               `ui:"header"`
	BackButton *gtk.Button                  `ui:"back_button"`
	LockButton *gtk.Button                  `ui:"lock_button"`
	Stack      *gtk.Stack                   `ui:"stack"`
	Actions    *gtk.Box                     `ui:"actions_place"`
	shown      *gtk.Box                     // what Actions holds; nil: nothing
	dialog     *gtk.FileChooserNativeDialog // that is shown; nil: none
	last       string                       // folder of the file chosen last; empty: none

	Message       *gtk.InfoBar  `ui:"message"`
	MessageClose  *gtk.Button   `ui:"message_close_button"`
	MessageTitle  *gtk.Label    `ui:"message_title"`
	MessageText   *gtk.Label    `ui:"message_text"`
	MessageMore   *gtk.Expander `ui:"message_more"`
	MessageDetail *gtk.Label    `ui:"message_detail"`
}

func newWindow(a *application) *window {
	w := &window{app: a}
	load("window", w)
	w.Window.SetApplication(a.gtk)
	w.BackButton.Connect("clicked", w.goBack)
	w.LockButton.Connect("clicked", w.lock)
	w.MessageClose.Connect("clicked", w.hush)
	w.Window.Connect("key-press-event", w.onKey)
	w.Window.Connect("delete-event", w.onClose)
	w.Window.Connect("destroy", func() {
		for _, p := range w.pages {
			p.leave()
		}
		w.pages = nil
		a.window = nil
	})
	return w
}

// onKey makes Alt and the arrow that points back go back.
func (w *window) onKey(_ *gtk.ApplicationWindow, e *gdk.Event) bool {
	key := gdk.EventKeyNewFromEvent(e)
	alt := key.State()&uint(gdk.MOD1_MASK) != 0
	back := uint(gdk.KEY_Left)
	if gtk.GetLocaleDirection() == gtk.TEXT_DIR_RTL {
		back = gdk.KEY_Right
	}
	if alt && key.KeyVal() == back && w.BackButton.GetVisible() {
		w.goBack()
		return true
	}
	return false
}

// onClose hides the window while a task runs: closing asks nothing and stops
// nothing. The program ends with the window otherwise, and the page that is shown
// may want it asked twice, as it may of Back.
func (w *window) onClose() bool {
	if w.app.task == nil {
		p := w.top()
		return p.back != nil && !p.back()
	}
	w.Window.Hide()
	w.app.notify(w.app.task.Title, T("It goes on in the background. Open Hidden Backup again to see it."))
	return true
}

// top is the page that is shown, nil before the first.
func (w *window) top() *page {
	if len(w.pages) == 0 {
		return nil
	}
	return w.pages[len(w.pages)-1]
}

// open shows a page on top of the one that is shown; Back leads back to that.
func (w *window) open(p *page) {
	w.Stack.Add(p.place)
	w.pages = append(w.pages, p)
	w.refresh()
}

// instead shows a page in the place of the one that is shown: Back leads to the
// one before.
func (w *window) instead(p *page) {
	old := w.top()
	w.Stack.Add(p.place)
	w.pages = append(w.pages[:len(w.pages)-1], p)
	w.refresh()
	w.drop(old)
}

// drop destroys a page that is not shown any more. Without that its handlers,
// which know it, would keep it for ever.
func (w *window) drop(p *page) {
	p.leave()
	p.content.Destroy() // what scrolls it does not do that
	p.place.ToWidget().Destroy()
	if p.actions != nil {
		p.actions.Destroy()
	}
	release(w.app.ctx)
}

// goBack leaves the page that is shown.
func (w *window) goBack() {
	p := w.top()
	if len(w.pages) < 2 || p.back != nil && !p.back() {
		return
	}
	w.pages = w.pages[:len(w.pages)-1]
	w.refresh()
	w.drop(p)
}

// goHome leaves all pages but the first.
func (w *window) goHome() {
	left := w.pages[1:]
	w.pages = w.pages[:1:1]
	w.refresh()
	for _, p := range left {
		w.drop(p)
	}
}

// refresh shows the last page and what belongs to it.
func (w *window) refresh() {
	p := w.top()
	w.hush()
	w.Stack.SetVisibleChild(p.place)
	w.Header.SetTitle(p.title)
	w.Window.SetTitle(p.title)
	w.BackButton.SetVisible(len(w.pages) > 1)
	w.LockButton.SetVisible(w.app.session != nil && w.app.task == nil)
	w.showActions(p.actions)
	if p.entered != nil {
		p.entered()
	}
	if w.top() != p { // entering it led on
		return
	}
	if p.initial != nil {
		p.initial.GrabDefault()
	}
	if p.focus != nil {
		p.focus.GrabFocus()
	} else {
		accessible.FocusFirst(p.content)
	}
}

func (w *window) showActions(actions *gtk.Box) {
	if w.shown != nil {
		w.Actions.Remove(w.shown)
	}
	if w.shown = actions; actions != nil {
		w.Actions.Add(actions)
	}
	w.Actions.SetVisible(actions != nil)
}

// show puts a message above the page. It is in the person's language.
func (w *window) show(m core.Message) {
	w.Message.SetMessageType(messageType(m))
	w.MessageTitle.SetText(m.Title)
	w.MessageText.SetText(strings.TrimSpace(m.Safe + " " + m.Hint))
	w.MessageText.SetVisible(m.Safe != "" || m.Hint != "")
	w.MessageDetail.SetText(m.Detail)
	w.MessageMore.SetExpanded(false)
	w.MessageMore.SetVisible(m.Detail != "")
	w.Message.Show()
}

// messageType: what went on well or was asked for is no error.
func messageType(m core.Message) gtk.MessageType {
	switch m.Exit {
	case core.ExitDone, core.ExitStopped:
		return gtk.MESSAGE_INFO
	case core.ExitUsage, core.ExitSkipped:
		return gtk.MESSAGE_WARNING
	}
	return gtk.MESSAGE_ERROR
}

func (w *window) hush() { w.Message.Hide() }

// lock closes the manifest and goes home.
func (w *window) lock() {
	w.app.closeSession()
	w.goHome()
}
