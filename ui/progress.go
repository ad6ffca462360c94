package ui

import (
	"time"

	"github.com/gotk3/gotk3/cairo"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/ui/internal/accessible"
)

const (
	// tick is how often progress is looked at.
	tick = 250 * time.Millisecond
	// mostRates is how many ticks the picture of the rate goes back: a minute.
	mostRates = 240
)

// progressPage shows a task while it goes on.
type progressPage struct {
	*page
	Phase    *gtk.Label       `ui:"phase_label"`
	Whole    *gtk.ProgressBar `ui:"whole_bar"`
	Amount   *gtk.Label       `ui:"amount_label"`
	Time     *gtk.Label       `ui:"time_label"`
	Parts    *gtk.Box         `ui:"parts_box"`
	RateBox  *gtk.Box         `ui:"rate_box"`
	RateArea *gtk.DrawingArea `ui:"rate_area"`
	Rate     *gtk.Label       `ui:"rate_label"`
	Highest  *gtk.Label       `ui:"highest_label"`
	Current  *gtk.Label       `ui:"current_label"`
	Problems *gtk.Label       `ui:"problems_label"`
	Stop     *gtk.Button      `ui:"stop_button"`

	bars   []*gtk.LevelBar
	asking bool
	lacks  string // what the grid lacks for the task to go on; empty: nothing
}

func newProgress(w *window, t *task) *progressPage {
	p := &progressPage{}
	p.page = w.newPage("progress", t.Title, p)
	p.task = t
	p.focus = p.Stop
	p.Stop.Connect("clicked", func() {
		p.Stop.SetSensitive(false)
		p.Stop.SetLabel(T("Stopping…"))
		t.stop()
	})
	p.RateBox.SetNoShowAll(false)
	p.RateBox.ShowAll()
	p.RateBox.Hide()
	p.makeBars()
	p.RateArea.Connect("draw", func(area *gtk.DrawingArea, c *cairo.Context) bool {
		drawRate(area, c, t.rates)
		return true
	})
	every(p.ctx, tick, p.refresh)
	if t.Grid != nil {
		every(p.ctx, lookInterval, p.ask)
	}
	p.refresh()
	return p
}

// ask asks the gateway, one question at a time, why it might not go on.
func (p *progressPage) ask() {
	if p.asking {
		return
	}
	p.asking = true
	p.askGrid(p.task.Grid, func(s core.Status, err error) {
		p.asking, p.lacks = false, ""
		if v := viewOfGrid(gridState{up: true, askFailed: err, status: s, writes: p.task.Writes}); !v.enough {
			p.lacks = v.state + " " + v.reason
		}
	})
}

// makeBars makes the bars, with their names in words beside them.
func (p *progressPage) makeBars() {
	bars := barsOf(0, p.task.Parts)
	if len(bars) < 2 {
		return
	}
	for _, b := range bars {
		row := must(gtk.BoxNew(gtk.ORIENTATION_HORIZONTAL, 12))
		name := must(gtk.LabelNew(b.name))
		name.SetXAlign(0)
		name.SetWidthChars(16)
		level := must(gtk.LevelBarNew())
		level.SetHExpand(true)
		level.SetVAlign(gtk.ALIGN_CENTER)
		accessible.SetName(level, b.name)
		row.Add(name)
		row.Add(level)
		row.ShowAll()
		p.Parts.Add(row)
		p.bars = append(p.bars, level)
	}
	p.Parts.Show()
}

// refresh looks at the counters and shows them.
func (p *progressPage) refresh() {
	t := p.task
	s := t.tracker.Status()
	t.note(s)
	v := viewOf(s)
	p.Phase.SetText(v.phase)
	if v.fraction >= 0 {
		p.Whole.SetFraction(v.fraction)
	} else {
		p.Whole.Pulse()
	}
	p.Amount.SetText(v.amount)
	if p.lacks != "" {
		v.time = p.lacks // nobody knows how long that takes
	}
	p.Time.SetText(v.time)
	p.Current.SetText(v.current)
	p.Problems.SetText(v.problems)
	p.Problems.SetVisible(v.problems != "")
	p.Rate.SetText(v.rate)
	p.Highest.SetText(highestText(t.rates))
	p.RateBox.SetVisible(v.rate != "")
	p.RateArea.QueueDraw()
	for i, b := range barsOf(reached(s), sized(t.Parts, s.Folders)) {
		if i < len(p.bars) {
			p.bars[i].SetValue(b.done)
		}
	}
}
