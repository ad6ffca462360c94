package ui

import (
	"fmt"
	"strings"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// outcome is what a page says at the end of something.
type outcome struct {
	good  bool
	title string
	proof string // what was proven
	notes string // what else there is to know; may be empty
	// problems are named one a line; all of them may be more than are listed.
	problems []string
	all      uint64
	// next is the button that leads on; empty: there is none.
	next string
	then func()
	// also is a smaller one; empty: there is none.
	also     string
	alsoThen func()
}

// report is the page at the end of a task: what was proven, and what was not.
type report struct {
	*page
	Icon     *gtk.Image    `ui:"icon_image"`
	Title    *gtk.Label    `ui:"title_label"`
	Proof    *gtk.Label    `ui:"proof_label"`
	Notes    *gtk.Label    `ui:"notes_label"`
	Expander *gtk.Expander `ui:"problems_expander"`
	Problems *gtk.Label    `ui:"problems_label"`
	Home     *gtk.Button   `ui:"home_button"`
	Also     *gtk.Button   `ui:"also_button"`
	Next     *gtk.Button   `ui:"next_button"`
}

// mostProblems is how many problems people read.
const mostProblems = 200

func newReport(w *window, title string, o outcome) *report {
	r := &report{}
	r.page = w.newPage("report", title, r)
	r.Icon.SetFromIconName(goodIcon(o.good), gtk.ICON_SIZE_DND)
	r.Title.SetText(o.title)
	r.Proof.SetText(o.proof)
	r.Notes.SetText(o.notes)
	r.Notes.SetVisible(o.notes != "")
	if len(o.problems) > 0 {
		r.Expander.SetLabel(problemTitle(o))
		r.Problems.SetText(strings.Join(o.problems[:min(len(o.problems), mostProblems)], "\n"))
		r.Problems.Show()
		r.Expander.Show()
		r.Expander.SetExpanded(true)
	}
	r.focus, r.initial = r.Home, r.Home
	if o.next != "" {
		r.Next.SetLabel(o.next)
		r.Next.Show()
		r.focus, r.initial = r.Next, r.Next
		r.Next.Connect("clicked", o.then)
	}
	if o.also != "" {
		r.Also.SetLabel(o.also)
		r.Also.Show()
		r.Also.Connect("clicked", o.alsoThen)
	}
	r.Home.Connect("clicked", w.goHome)
	return r
}

func problemTitle(o outcome) string {
	n := max(o.all, uint64(len(o.problems)))
	return fmt.Sprintf(N("%s entry is not as it should be", "%s entries are not as they should be", n), count(n))
}

// failed is the outcome of what did not come to its end.
func failed(err error) outcome {
	m := explain(err)
	return outcome{title: m.Title, proof: lines(m.Safe, m.Hint), notes: detail(m)}
}

// detail is the error's own text, where it says more than the sentence.
func detail(m core.Message) string {
	if m.Exit == core.ExitStopped {
		return ""
	}
	return m.Detail
}
