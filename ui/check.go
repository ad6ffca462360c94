package ui

import (
	"context"
	"fmt"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/upkeep"
)

// sampled is how many packs a quick check reads back.
const sampled = 30

// check asks how thorough a check shall be.
type check struct {
	*page
	Sample *gtk.RadioButton `ui:"sample_radio"`
	All    *gtk.RadioButton `ui:"all_radio"`
	Ask    *gtk.RadioButton `ui:"ask_radio"`
	Repair *gtk.CheckButton `ui:"repair_check"`
	Renew  *gtk.CheckButton `ui:"renew_check"`
	Next   *gtk.Button      `ui:"next_button"`
}

// checkBackup leads to a check of the manifest that is open, or asks for one.
func (w *window) checkBackup() {
	w.unlocked(T("Open the manifest of the backup that is to be checked."), func(s *session) {
		w.open(newCheck(w, s).page)
	})
}

func newCheck(w *window, s *session) *check {
	p := &check{}
	p.page = w.newPage("check", T("Check My Backup"), p)
	p.focus, p.initial = p.Next, p.Next
	for _, b := range []*gtk.CheckButton{p.Repair, p.Renew} { // those change something
		b.SetActive(s.owner())
		b.SetSensitive(s.owner())
	}
	p.Next.Connect("clicked", func() {
		plan := core.CheckPlan{Download: !p.Ask.GetActive(), Repair: p.Repair.GetActive(), Renew: p.Renew.GetActive()}
		if p.Sample.GetActive() {
			plan.Sample = sampled
		}
		w.open(newGrid(w, s, gridUse{title: T("Check My Backup"), label: T("_Check Now"), writes: plan.Repair || plan.Renew,
			then: func(s *session) { w.runCheck(s, plan) }}).page)
	})
	return p
}

func (w *window) runCheck(s *session, plan core.CheckPlan) {
	var r core.CheckReport
	grid, config := s.grid, w.app.config
	w.begin(&task{
		Title: T("Checking the Backup"),
		Grid:  grid, Writes: plan.Repair || plan.Renew,
		Work: func(ctx context.Context, t *progress.Tracker) (err error) {
			r, err = grid.Check(ctx, config, plan, t)
			return err
		},
		Ended: func(err error) (string, string) {
			o := checkOutcome(r, err)
			return T("The Check Has Ended"), o.title
		},
		End: func(w *window, err error) *page {
			return newReport(w, T("Check My Backup"), checkOutcome(r, err)).page
		},
	})
}

// checkOutcome says what a check found.
func checkOutcome(r core.CheckReport, err error) outcome {
	if err != nil {
		return failed(err)
	}
	o := outcome{good: r.Err() == nil && !r.Weak()}
	for _, state := range []upkeep.State{upkeep.Lost, upkeep.Unknown, upkeep.Damaged, upkeep.Weak} {
		for _, f := range r.Of(state) {
			o.problems = append(o.problems, fmt.Sprintf(T("%s: %d of %d shares on %d servers"), capital(f.Object.Name), f.Health.SharesGood, f.Health.SharesTotal, f.Health.GoodHosts))
		}
	}
	switch {
	case r.Err() != nil:
		m := explain(r.Err())
		o.title = T("Something Is Lost")
		o.proof = lines(m.Title, m.Safe, m.Hint)
	case r.Weak():
		o.title = T("Everything Can Be Read, and Something Is Weaker Than Planned")
		o.proof = T("Check again when more servers answer, with repair switched on.")
	case r.Read > 0 && r.Read >= r.Packs:
		o.title = T("Everything Is Whole")
	default: // what was not read may be damaged all the same
		o.title = T("Every Piece Is There")
	}
	o.proof = lines(o.proof, fmt.Sprintf(N("%s object was asked for.", "%s objects were asked for.", r.Objects), count(r.Objects)), readText(r), marginText(r.Worst))
	o.notes = lines(repairedText(r), renewedText(r), awayText(r), unrecorded(r.Unrecorded))
	return o
}

// readText says what the check itself has read, and so knows.
func readText(r core.CheckReport) string {
	switch {
	case r.Read == 0:
		return T("Nothing was read back: that the servers have it is what they say.")
	case r.Proof.Of > 0:
		return fmt.Sprintf(T("%s of %s packs, chosen at random, were read back whole. If %s or more of them were damaged, this would have found it with a probability of at least 95 %%."), count(r.Proof.Sampled), count(r.Proof.Of), count(r.Proof.Damaged))
	case r.Read < r.Packs:
		return fmt.Sprintf(T("%s of %s packs could be read back."), count(r.Read), count(r.Packs))
	}
	return fmt.Sprintf(N("All of it was read back: %s pack.", "All of it was read back: %s packs.", r.Packs), count(r.Packs))
}

func marginText(worst upkeep.Finding) string {
	switch {
	case worst.State == "" || worst.State == upkeep.Lost || worst.State == upkeep.Unknown:
		return ""
	case worst.Servers == 0:
		return T("No server may vanish before something is lost.")
	case worst.Operators == 0:
		return fmt.Sprintf(N("Any %d server may vanish before anything is lost, but one operator alone has too many of them.", "Any %d servers may vanish before anything is lost, but one operator alone has too many of them.", worst.Servers), worst.Servers)
	}
	return fmt.Sprintf(N("Any %d server may vanish before anything is lost.", "Any %d servers may vanish before anything is lost.", worst.Servers), worst.Servers)
}

func repairedText(r core.CheckReport) string {
	n := len(r.Replaced)
	for _, f := range r.Findings {
		if f.Repaired {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(N("%s object was repaired.", "%s objects were repaired.", n), count(n))
}

func renewedText(r core.CheckReport) string {
	if !r.Renewed {
		return ""
	}
	return T("All leases are renewed for a month.")
}

func awayText(r core.CheckReport) string {
	if r.Away == 0 {
		return ""
	}
	return fmt.Sprintf(N("%d server is away.", "%d servers are away.", r.Away), r.Away)
}

// unrecorded says that an outcome is not in the vault, where “ready to wipe?”
// looks for it.
func unrecorded(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(T("This could not be noted in the vault: %s"), explain(err).Title)
}
