package ui

import (
	"context"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
)

// task is work that goes on whatever page is shown, and while the window is
// closed: a backup, a restore, a check. There is one at a time.
type task struct {
	// Title says what it is: "Backing Up".
	Title string
	// Parts are what there is to do, in the order in which it is done; those of
	// one name share a bar. Fewer than two names show no bars but that of all.
	Parts []part
	// Grid is asked meanwhile whether enough servers answer, as many as a change
	// needs if the task Writes; nil: nobody asks.
	Grid   *core.Grid
	Writes bool
	// Work does it, off the loop. It ends soon after ctx does.
	Work func(ctx context.Context, t *progress.Tracker) error
	// End makes the page that says what came of it, on the loop. The error is
	// that of Work; the page may explain it.
	End func(w *window, err error) *page
	// Ended is the notification at the end, with the error of Work.
	Ended func(err error) (title, text string)

	tracker *progress.Tracker
	started time.Time
	stop    context.CancelFunc
	over    chan struct{} // closed when Work has returned
	err     error
	rates   []float64 // content bytes a second, one each tick
}

// part is a part of a task.
type part struct {
	Name  string
	Bytes int64
}

// begin starts t and shows its progress. Nothing may be running.
func (w *window) begin(t *task) {
	a := w.app
	t.tracker, t.over, t.started = new(progress.Tracker), make(chan struct{}), time.Now()
	var ctx context.Context
	ctx, t.stop = context.WithCancel(a.ctx)
	a.task, a.last = t, nil
	inhibited := a.gtk.Inhibited(w.Window, gtk.APPLICATION_INHIBIT_SUSPEND, t.Title)
	w.goHome()
	w.open(newProgress(w, t).page)
	always(func() error {
		defer close(t.over)
		return t.Work(ctx, t.tracker)
	}, func(err error) {
		t.stop()
		if inhibited != 0 {
			a.gtk.Uninhibit(inhibited)
		}
		a.finish(t, err)
	})
}

// finish shows what came of a task where it is looked at, and says so where it
// is not. Behind a closed window nobody looks, perhaps for days: what came of it
// waits there for the next start, and the manifest is locked.
func (a *application) finish(t *task, err error) {
	t.err = err
	a.task = nil
	w := a.window
	if w == nil { // the program is ending
		return
	}
	if !w.Window.IsActive() {
		a.notify(t.Ended(err))
	}
	if !w.Window.GetVisible() {
		a.closeSession() // first: the page asks for the manifest again if it needs it
		w.goHome()
		w.open(t.End(w, err))
		return
	}
	if top := w.top(); top.task == t {
		w.instead(t.End(w, err))
		return
	}
	a.last = t
	if w.top() == w.pages[0] {
		w.refresh()
	}
}
