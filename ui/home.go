package ui

import (
	"fmt"

	"github.com/gotk3/gotk3/gtk"
)

// home is where everything begins: two large choices and some small ones.
type home struct {
	*page
	TaskBox    *gtk.Box     `ui:"task_box"`
	TaskWait   *gtk.Spinner `ui:"task_spinner"`
	TaskLabel  *gtk.Label   `ui:"task_label"`
	TaskButton *gtk.Button  `ui:"task_button"`
	Choices    *gtk.Box     `ui:"choices"`
	Others     *gtk.FlowBox `ui:"others"`

	BackUp   *gtk.Button `ui:"back_up_button"`
	Restore  *gtk.Button `ui:"restore_button"`
	Check    *gtk.Button `ui:"check_button"`
	Rehearse *gtk.Button `ui:"rehearse_button"`
	Share    *gtk.Button `ui:"share_button"`
	Ready    *gtk.Button `ui:"ready_button"`
	Lend     *gtk.Button `ui:"lend_button"`
	Practice *gtk.Button `ui:"practice_button"`
}

func newHome(w *window) *home {
	h := &home{}
	h.page = w.newPage("home", T("Hidden Backup"), h)
	h.entered = h.refresh
	h.TaskButton.Connect("clicked", h.showTask)
	h.BackUp.Connect("clicked", w.startBackup)
	h.Restore.Connect("clicked", w.restoreGuide)
	h.Check.Connect("clicked", w.checkBackup)
	h.Rehearse.Connect("clicked", w.rehearse)
	h.Share.Connect("clicked", w.shareManifest)
	h.Ready.Connect("clicked", w.readyToWipe)
	h.Lend.Connect("clicked", w.lendSpace)
	h.Practice.Connect("clicked", w.practise)
	return h
}

// refresh shows what goes on or what has ended. While something goes on nothing
// else can be begun.
func (h *home) refresh() {
	running, ended := h.w.app.task, h.w.app.last
	h.Choices.SetSensitive(running == nil)
	h.Others.SetSensitive(running == nil)
	h.TaskBox.SetVisible(running != nil || ended != nil)
	h.TaskWait.SetVisible(running != nil)
	h.focus = h.BackUp
	if running != nil || ended != nil {
		h.focus = h.TaskButton
	}
	h.TaskLabel.Show()
	h.TaskButton.Show()
	switch {
	case running != nil:
		h.TaskLabel.SetText(fmt.Sprintf(T("Going on: %s. Everything else waits until it has ended."), running.Title))
	case ended != nil:
		title, what := ended.Ended(ended.err)
		h.TaskLabel.SetText(lines(title, what))
	}
}

func (h *home) showTask() {
	a := h.w.app
	switch {
	case a.task != nil:
		h.w.open(newProgress(h.w, a.task).page)
	case a.last != nil:
		t := a.last
		a.last = nil
		h.w.open(t.End(h.w, t.err))
	}
}
