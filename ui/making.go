package ui

import (
	"bytes"
	"context"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/paper"
	"hiddenbackup/core/progress"
)

// making makes the vault and the manifest. Back stops it; what the pages before
// have is kept, for another try.
type making struct {
	*page
	Bar   *gtk.ProgressBar `ui:"bar"`
	Phase *gtk.Label       `ui:"phase_label"`
	Step  *gtk.Label       `ui:"step_label"`
	Again *gtk.Button      `ui:"again_button"`

	c       *creation
	tracker *progress.Tracker
	working bool
}

func newMaking(w *window, c *creation) *making {
	p := &making{c: c, tracker: new(progress.Tracker)}
	p.page = w.newPage("making", T("Back Up"), p)
	p.Step.SetText(c.step(stepManifest))
	p.Again.Connect("clicked", p.work)
	every(p.ctx, tick, func() {
		if p.working {
			p.Bar.Pulse()
			p.Phase.SetText(phaseText(p.tracker.Status().Phase))
		}
	})
	p.work()
	return p
}

func (p *making) work() {
	p.working = true
	p.Again.Hide()
	p.quiet()
	d := core.Draft{Name: T("My backup"), Grid: p.c.grid, Folders: p.c.folders, Filters: p.c.filters}
	pass, config := bytes.Clone(p.c.passphrase), p.w.app.config
	run(p.ctx, func(ctx context.Context) (core.Made, error) {
		defer clear(pass)
		return core.MakeManifest(ctx, config, d, pass, p.tracker)
	}, p.made)
}

func (p *making) made(m core.Made, err error) {
	p.working = false
	var c paper.Copy
	if err == nil {
		c, err = paper.Inspect(m.Sealed)
	}
	if err == nil {
		_, err = p.w.app.openSession(m.Opened, c, m.Sealed, "")
	}
	if err != nil {
		p.Bar.SetFraction(0)
		p.Phase.SetText("")
		p.Again.Show()
		p.explain(err)
		p.Again.GrabFocus()
		return
	}
	p.c.wipe()
	clear(p.c.generated)
	p.c.generated = nil
	s := p.w.app.session
	p.w.goHome() // the way back would make another one
	step, last := p.c.step(stepManifest), p.c.step(stepBackup)
	p.w.open(newShare(p.w, c, step, func() { p.w.openBackupStep(s, last) }).page)
}
