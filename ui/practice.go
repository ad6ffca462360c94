package ui

import (
	"context"
	"fmt"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
)

// practice starts and stops the practice grid.
type practice struct {
	*page
	Spinner *gtk.Spinner `ui:"spinner"`
	State   *gtk.Label   `ui:"state_label"`
	Start   *gtk.Button  `ui:"start_button"`
	Stop    *gtk.Button  `ui:"stop_button"`
	Next    *gtk.Button  `ui:"next_button"`

	starting bool
}

func (w *window) practise() { w.open(newPractice(w).page) }

func newPractice(w *window) *practice {
	p := &practice{}
	p.page = w.newPage("practice", T("Practice"), p)
	p.initial = p.Next
	p.entered = p.look
	p.Start.Connect("clicked", func() { p.start(func(manifest.Grid) {}) })
	p.Stop.Connect("clicked", func() {
		p.wait(T("Stopping…"))
		run(p.ctx, func(context.Context) (struct{}, error) { return struct{}{}, core.StopPractice("") }, func(_ struct{}, err error) {
			p.look()
			if err != nil {
				p.explain(err)
			}
		})
	})
	p.Next.Connect("clicked", func() {
		p.start(func(g manifest.Grid) { (&creation{grid: g, practice: true}).chooseFolders(w) })
	})
	every(p.ctx, tick, func() {
		if p.starting {
			p.State.SetText(startingText(core.PracticeStarting("")))
		}
	})
	p.wait("")
	return p
}

// wait shows that something takes a while.
func (p *practice) wait(text string) {
	p.quiet()
	p.State.SetText(text)
	p.Spinner.Start()
	p.Spinner.Show()
	for _, b := range []*gtk.Button{p.Start, p.Stop, p.Next} {
		b.SetSensitive(false)
	}
}

func (p *practice) start(then func(manifest.Grid)) {
	p.wait(startingText(0, 0))
	p.starting = true
	run(p.ctx, startPractice, func(g manifest.Grid, err error) {
		p.starting = false
		p.look()
		if err != nil {
			p.Start.SetLabel(T("_Try Again"))
			p.explain(err)
			return
		}
		then(g)
	})
}

// startingText says how far the practice grid is, which takes a while on a slow
// computer.
func startingText(up, of int) string {
	if of == 0 {
		return T("Starting the practice grid takes some seconds…")
	}
	return fmt.Sprintf(T("Starting the practice grid. Servers up: %d of %d."), up, of)
}

// look shows how the practice grid is.
func (p *practice) look() {
	run(p.ctx, func(context.Context) (core.PracticeStatus, error) { return core.StatusOfPractice("") }, func(s core.PracticeStatus, err error) {
		p.Spinner.Stop()
		p.Spinner.Hide()
		running := err == nil && s.Running
		switch {
		case running:
			p.State.SetText(fmt.Sprintf(T("It is running, and stores %s."), size(s.Used())))
		case err == nil:
			p.State.SetText(fmt.Sprintf(T("It is stopped. It stores %s."), size(s.Used())))
		default:
			p.State.SetText(T("It is not running."))
		}
		p.Start.SetSensitive(!running)
		p.Stop.SetSensitive(running)
		p.Next.SetSensitive(true)
	})
}
