package ui

import (
	"context"
	"fmt"
	"strings"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/restore"
)

// restoreReady says what will happen, asks about files that are there already,
// and starts.
type restoreReady struct {
	*page
	Step    *gtk.Label       `ui:"step_label"`
	What    *gtk.Label       `ui:"what_label"`
	Where   *gtk.Label       `ui:"where_label"`
	Kept    *gtk.Label       `ui:"kept_label"`
	There   *gtk.Label       `ui:"there_label"`
	Asks    *gtk.Box         `ui:"asks_box"`
	Leave   *gtk.RadioButton `ui:"leave_radio"`
	Replace *gtk.RadioButton `ui:"replace_radio"`
	Start   *gtk.Button      `ui:"start_button"`

	g *guide
}

func newRestoreReady(g *guide) *restoreReady {
	p := &restoreReady{g: g}
	p.page = g.w.newPage("restoreready", T("Ready to Restore"), p)
	p.Step.SetText(step(6))
	p.initial, p.focus = p.Start, p.Start
	sum := g.contents.Chosen()
	p.What.SetText(fmt.Sprintf(T("%s, %s, from the snapshot of %s."), files(sum.Files), size(sum.Bytes), moment(g.chosen.Time)))
	p.Where.SetText(placesText(g.places, g.storage))
	p.Kept.SetText(g.kept)
	p.Kept.SetVisible(g.kept != "")
	p.Start.Connect("clicked", func() {
		g.overwrite = restore.OverwriteNever
		if p.Replace.GetActive() {
			g.overwrite = restore.OverwriteChanged
		}
		g.start()
	})
	p.look()
	return p
}

// look asks about existing files only when there are some.
func (p *restoreReady) look() {
	places := p.g.places
	run(p.ctx, func(context.Context) ([]string, error) { return core.Occupied(places), nil }, func(taken []string, _ error) {
		if len(taken) == 0 {
			p.There.SetText(T("Nothing is there yet, so nothing is replaced."))
			return
		}
		p.There.SetText(lines(T("There are files already:"), shownList(taken), T("What is the same stays as it is.")))
		p.Asks.Show()
		p.Leave.Show()
		p.Replace.Show()
	})
}

// shownList is paths, one a line.
func shownList(paths []string) string {
	rows := make([]string, len(paths))
	for i, p := range paths {
		rows[i] = shown(p)
	}
	return strings.Join(rows, "\n")
}
