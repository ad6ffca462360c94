package ui

import (
	"context"
	"fmt"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
)

// rehearsal asks how much to restore for a trial.
type rehearsal struct {
	*page
	Sample *gtk.RadioButton `ui:"sample_radio"`
	All    *gtk.RadioButton `ui:"all_radio"`
	Next   *gtk.Button      `ui:"next_button"`
}

func (w *window) rehearse() { w.open(newRehearsal(w).page) }

func newRehearsal(w *window) *rehearsal {
	p := &rehearsal{}
	p.page = w.newPage("rehearse", T("Rehearse a Restore"), p)
	p.focus, p.initial = p.Next, p.Next
	p.Next.Connect("clicked", func() {
		full := p.All.GetActive()
		w.typed(T("The blank computer gets this manifest and this passphrase, and nothing else."), func(s *session, pass []byte) {
			w.runRehearsal(s, core.RehearsalPlan{Manifest: s.copy.Sealed, Passphrase: pass, Typed: true, Full: full})
		})
	})
	return p
}

func (w *window) runRehearsal(s *session, plan core.RehearsalPlan) {
	var r core.RehearsalReport
	config := w.app.config
	outcomeOf := func(err error) outcome {
		o := rehearsalOutcome(r, err)
		if err == nil && r.Passed {
			o.next, o.then = T("Ready to _Wipe?"), w.readyToWipe
		}
		return o
	}
	w.begin(&task{
		Title: T("Rehearsing the Restore"),
		Work: func(ctx context.Context, t *progress.Tracker) (err error) {
			defer clear(plan.Passphrase)
			r, err = core.Rehearse(ctx, config, plan, t)
			return err
		},
		Ended: func(err error) (string, string) { return T("The Rehearsal Has Ended"), outcomeOf(err).title },
		End: func(w *window, err error) *page {
			return newReport(w, T("Rehearse a Restore"), outcomeOf(err)).page
		},
	})
}

// rehearsalOutcome says what a rehearsal proved.
func rehearsalOutcome(r core.RehearsalReport, err error) outcome {
	if err != nil {
		return failed(err)
	}
	o := outcome{good: r.Passed, all: r.ProblemCount + r.Copy.Count + r.Live.Unexplained.Count}
	for _, p := range r.Problems {
		o.problems = append(o.problems, fmt.Sprintf(T("Not restored: %s"), shown(p.Path)))
	}
	for _, d := range r.Copy.Differences {
		o.problems = append(o.problems, fmt.Sprintf(T("Came back different: %s"), shown(d.Path)))
	}
	for _, d := range r.Live.Unexplained.Differences {
		o.problems = append(o.problems, fmt.Sprintf(T("Not as it was stored, though it was not changed since: %s"), shown(d.Path)))
	}
	if !r.Passed {
		m := explain(core.ErrRehearsal)
		o.title = T("The Rehearsal Failed")
		o.proof = lines(T("Not everything would come back as it was. The reasons are below."), m.Safe, m.Hint)
		return o
	}
	o.title = T("The Rehearsal Passed")
	o.proof = lines(
		fmt.Sprintf(T("From nothing but the manifest and the passphrase %s (%s) came back in %s, and were compared: content, names, modes, times, links, attributes."), files(r.Files), size(r.Bytes), span(r.AllAfter)),
		sampleText(r))
	if n := r.Live.Changes(); n > 0 {
		o.notes = T("Your files went on since the snapshot. Back up again before you wipe: what is new or changed is not in it.")
	}
	o.notes = lines(o.notes, unrecorded(r.Unrecorded))
	return o
}

// sampleText says how much a sample proves.
func sampleText(r core.RehearsalReport) string {
	switch p := r.Proof; {
	case r.Full || p.Of == 0 || p.Sampled == p.Of && r.TooLarge == 0:
		return T("That was every file of the snapshot.")
	default:
		return fmt.Sprintf(T("Beside the first tier, %s of %s other files were drawn at random. If %s or more of those could not be restored, this would have found one with a probability of at least 95 %%."), count(p.Sampled), count(p.Of), count(p.Damaged))
	}
}
