package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
)

// join asks for the grid.
type join struct {
	*page
	Text     *gtk.RadioButton `ui:"text_radio"`
	TextBox  *gtk.Box         `ui:"text_box"`
	View     *gtk.TextView    `ui:"text_view"`
	File     *gtk.Button      `ui:"file_button"`
	Practice *gtk.RadioButton `ui:"practice_radio"`
	Found    *gtk.Label       `ui:"found_label"`
	Busy     *gtk.Box         `ui:"busy_box"`
	Spinner  *gtk.Spinner     `ui:"busy_spinner"`
	BusyText *gtk.Label       `ui:"busy_label"`
	Step     *gtk.Label       `ui:"step_label"`
	Next     *gtk.Button      `ui:"next_button"`

	c    *creation
	busy bool
}

func newJoin(w *window, c *creation) *join {
	j := &join{c: c}
	j.page = w.newPage("join", T("Back Up"), j)
	j.Step.SetText(c.step(stepGrid))
	j.focus, j.initial = j.Text, j.Next
	j.Text.Connect("toggled", j.refresh)
	j.File.Connect("clicked", func() {
		w.chooseFile(T("Choose the Description of the Grid"), gtk.FILE_CHOOSER_ACTION_OPEN, T("_Open"), "", j.read)
	})
	j.onText(j.View, j.refresh, func() { j.tell(gridMessage(paper.ErrTooLarge)) })
	every(j.ctx, tick, func() {
		if j.busy {
			j.BusyText.SetText(startingText(core.PracticeStarting("")))
		}
	})
	j.Next.Connect("clicked", j.next)
	j.refresh()
	return j
}

func (j *join) refresh() {
	typed := j.Text.GetActive()
	j.TextBox.SetSensitive(typed && !j.busy)
	j.Text.SetSensitive(!j.busy)
	j.Practice.SetSensitive(!j.busy)
	j.Next.SetSensitive(!j.busy && (!typed || textOf(j.View) != ""))
	j.Busy.SetVisible(j.busy)
	j.BusyText.Show()
	j.Spinner.Show()
	if j.busy {
		j.Spinner.Start()
	} else {
		j.Spinner.Stop()
	}
	j.quiet()
}

// read takes a description from a file, as text to be looked at.
func (j *join) read(path string) {
	run(j.ctx, func(context.Context) (string, error) { return core.ReadText(path) },
		func(text string, err error) {
			switch {
			case errors.Is(err, manifest.ErrNotManifest) || errors.Is(err, manifest.ErrInvalid) || errors.Is(err, paper.ErrTooLarge):
				j.tell(gridMessage(err)) // a manifest is not what she is asked for
				return
			case err != nil:
				j.explain(err)
				return
			}
			// Invites of several hosts stand one after another.
			setText(j.View, strings.TrimSpace(textOf(j.View)+"\n\n"+text))
		})
}

func (j *join) next() {
	if j.Text.GetActive() {
		g, err := core.JoinGrid([]byte(textOf(j.View)))
		if err != nil {
			j.tell(gridMessage(err))
			return
		}
		j.joined(g)
		return
	}
	j.busy = true
	j.refresh()
	run(j.ctx, startPractice, func(g manifest.Grid, err error) {
		j.busy = false
		j.refresh()
		if err != nil {
			j.explain(err)
			return
		}
		j.joined(g)
	})
}

// startPractice starts the practice grid unless it runs, and describes it.
func startPractice(ctx context.Context) (manifest.Grid, error) {
	if s, err := core.StatusOfPractice(""); err != nil || !s.Running {
		if _, err := core.StartPractice(ctx, core.Practice{}); err != nil {
			return manifest.Grid{}, err
		}
	}
	return core.PracticeGrid("")
}

func (j *join) joined(g manifest.Grid) {
	j.c.grid = g
	j.Found.SetText(describeGrid(g))
	j.Found.Show()
	j.c.chooseFolders(j.w)
}

// describeGrid says in a sentence what a grid promises.
func describeGrid(g manifest.Grid) string {
	if len(g.Servers) == 0 {
		return fmt.Sprintf(T("The servers of this grid are found when we are connected. Any %d of %d shares bring a file back."), g.Needed, g.Total)
	}
	return fmt.Sprintf(N("%d server; any %d of %d shares bring a file back.", "%d servers; any %d of %d shares bring a file back.", len(g.Servers)), len(g.Servers), g.Needed, g.Total)
}

// gridMessage says of a description what Explain says of a manifest.
func gridMessage(err error) core.Message {
	m := explain(err)
	m.Title = T("This does not describe a grid that can be used.")
	m.Safe = T("Nothing was connected to.")
	m.Hint = T("Paste all of it: whole invites, a whole description, or the addresses of introducers (pb://…), one a line. If it stays so, ask whoever gave it to you.")
	m.Exit = core.ExitUsage
	return m
}
