package ui

import (
	"context"
	"strings"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
)

// ready is the page behind “ready to wipe?”: nothing is green without a proof.
type ready struct {
	*page
	Icon    *gtk.Image   `ui:"icon_image"`
	Title   *gtk.Label   `ui:"title_label"`
	Spinner *gtk.Spinner `ui:"spinner"`
	List    *gtk.Box     `ui:"list_box"`
	Return  *gtk.Entry   `ui:"return_entry"`
	Again   *gtk.Button  `ui:"again_button"`

	s       *session
	rows    map[core.Item]*readyRow
	looking bool
	wanted  bool           // to look, as soon as the grid is there
	wrong   error          // with the date; the rest is looked at all the same
	asked   core.ReadyPlan // what to look for
}

func (w *window) readyToWipe() {
	w.unlocked(T("Open the manifest as a holder has it."), func(s *session) {
		if !s.owner() {
			w.top().explain(core.ErrReadOnly)
			return
		}
		w.open(newReady(w, s).page)
	})
}

func newReady(w *window, s *session) *ready {
	p := &ready{s: s, rows: make(map[core.Item]*readyRow)}
	p.page = w.newPage("ready", T("Ready to Wipe?"), p)
	p.focus = p.Again
	for _, item := range core.Items {
		r := newReadyRow(p.action(item))
		p.rows[item] = r
		p.List.Add(r.row)
	}
	p.Again.Connect("clicked", p.look)
	p.Return.Connect("activate", p.look)
	p.entered = p.look
	every(p.ctx, tick, p.poll)
	return p
}

// look collects the facts anew; what was green is not until they are there.
func (p *ready) look() {
	p.quiet()
	p.asked, p.wrong = p.plan()
	p.wanted = true
	p.s.connect()
	for _, r := range p.rows {
		r.row.Hide()
	}
	p.Title.SetText(T("Looking for proof…"))
	p.Icon.Hide()
	p.Spinner.Start()
	p.Spinner.Show()
	p.Again.SetSensitive(false)
	p.poll()
}

// poll begins to look when the grid is there.
func (p *ready) poll() {
	if !p.wanted || p.looking {
		return
	}
	switch {
	case p.s.failed != nil:
		p.failed(p.s.failed)
	case p.s.grid != nil:
		p.wanted = false
		p.ask()
	}
}

// plan is what she says of her journey.
func (p *ready) plan() (plan core.ReadyPlan, err error) {
	text, _ := p.Return.GetText()
	if text = strings.TrimSpace(text); text != "" {
		plan.Return, err = returnOn(text, time.Now()) // zero with an error
	}
	return plan, err
}

// returnOn is the day of a return, which is not over.
func returnOn(text string, now time.Time) (time.Time, error) {
	for _, form := range []string{time.DateOnly, "2.1.2006"} {
		if day, err := time.ParseInLocation(form, text, time.Local); err == nil && day.After(now.Add(-24*time.Hour)) {
			return day, nil
		}
	}
	return time.Time{}, core.ErrDate
}

func (p *ready) ask() {
	plan := p.asked
	p.looking = true
	grid := p.s.grid
	run(p.ctx, func(ctx context.Context) (*core.Readiness, error) {
		return grid.Ready(ctx, plan, new(progress.Tracker))
	}, func(r *core.Readiness, err error) {
		p.looking = false
		if p.wanted { // once more, since then
			return
		}
		if err != nil {
			p.failed(err)
			return
		}
		p.show(r)
	})
}

func (p *ready) failed(err error) {
	p.wanted = false
	p.done(false, T("Not Known. Do Not Wipe."))
	p.explain(err)
}

func (p *ready) done(good bool, title string) {
	p.Spinner.Stop()
	p.Spinner.Hide()
	p.Again.SetSensitive(true)
	p.Title.SetText(title)
	p.Icon.SetFromIconName(goodIcon(good), gtk.ICON_SIZE_DND)
	p.Icon.Show()
}

func (p *ready) show(r *core.Readiness) {
	for item, row := range p.rows {
		row.show(r.Green(item), readyText(r, item))
	}
	switch {
	case p.wrong != nil:
		p.failed(p.wrong)
	case r.Ready():
		p.done(true, T("Everything Is Proven. You Can Wipe."))
	default:
		p.done(false, T("Not Everything Is Proven Yet. Do Not Wipe."))
	}
}

// action is what gives an item its proof, and what its button says.
func (p *ready) action(item core.Item) (label string, do func()) {
	w, s := p.w, p.s
	checked := func() { w.open(newCheck(w, s).page) }
	switch item {
	case core.ItemSnapshot:
		return T("Back Up…"), func() { w.openBackup(s) }
	case core.ItemRehearsal, core.ItemTime:
		return T("Rehearse…"), w.rehearse
	case core.ItemRecall:
		return T("Type It…"), func() { w.typed(T("Type the passphrase from memory."), p.recall) }
	case core.ItemHolders:
		return T("Note a Holder…"), func() { w.open(newHolder(w, s).page) }
	case core.ItemKept:
		return T("Renew…"), checked
	}
	return T("Check…"), checked
}

// recall notes that she typed the passphrase from memory just now.
func (p *ready) recall(s *session, pass []byte) {
	clear(pass)
	if s.grid == nil {
		return
	}
	p.wanted = false
	grid, config := s.grid, p.w.app.config
	run(p.ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, grid.RecordRecall(ctx, config)
	}, func(_ struct{}, err error) {
		if err != nil {
			p.failed(err)
			return
		}
		p.look()
	})
}

func goodIcon(good bool) string {
	if good {
		return "emblem-ok-symbolic"
	}
	return "dialog-warning-symbolic"
}
