package ui

import (
	"context"
	"time"

	"github.com/gotk3/gotk3/cairo"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// lookInterval is how often the grid is asked how it is.
const lookInterval = time.Second

// gridUse is what the grid is needed for.
type gridUse struct {
	title  string // of the page
	label  string // of the button that leads on
	step   string // of a longer way, shown when all is well; may be empty
	writes bool   // it needs as many servers as a change, not only as a restore
	then   func(*session)
	// folders leads to another choice of folders; nil: not from here.
	folders func(*session)
}

// gridPage shows how much of the grid answers, and leads on when it is enough.
type gridPage struct {
	*page
	Title   *gtk.Label       `ui:"title_label"`
	Spinner *gtk.Spinner     `ui:"spinner"`
	State   *gtk.Label       `ui:"state_label"`
	Way     *gtk.Label       `ui:"way_label"`
	Dots    *gtk.DrawingArea `ui:"dots_area"`
	Margin  *gtk.Label       `ui:"margin_label"`
	Frame   *gtk.Frame       `ui:"list_frame"`
	List    *gtk.Box         `ui:"list_box"`
	Reason  *gtk.Label       `ui:"reason_label"`
	Again   *gtk.Button      `ui:"again_button"`
	Folders *gtk.Button      `ui:"folders_button"`
	Next    *gtk.Button      `ui:"next_button"`

	s      *session
	use    gridUse
	asking bool
	failed error       // of the last question
	told   bool        // why connecting failed
	status core.Status // as of the last answer
	rows   []*serverRow
}

func newGrid(w *window, s *session, use gridUse) *gridPage {
	g := &gridPage{s: s, use: use}
	g.page = w.newPage("grid", use.title, g)
	g.Title.SetText(s.name())
	g.Next.SetLabel(use.label)
	g.initial = g.Next
	g.Next.Connect("clicked", func() { use.then(s) })
	g.Folders.SetVisible(use.folders != nil)
	g.Folders.Connect("clicked", func() { use.folders(s) })
	g.Again.Connect("clicked", func() {
		s.connect()
		g.told = false
		g.quiet()
		g.refresh()
	})
	g.Dots.Connect("draw", func(area *gtk.DrawingArea, c *cairo.Context) bool {
		drawServers(area, c, g.status)
		return true
	})
	every(g.ctx, lookInterval, g.ask)
	every(g.ctx, tick, g.refresh)
	s.connect()
	g.refresh()
	return g
}

// ask asks the gateway, one question at a time.
func (g *gridPage) ask() {
	if g.asking || g.s.grid == nil || g.w.top() != g.page {
		return
	}
	g.asking = true
	g.askGrid(g.s.grid, func(s core.Status, err error) {
		g.asking = false
		if g.failed = err; err == nil {
			g.status = s
			g.s.since.note(s.Servers, time.Now())
			g.showServers()
			g.Dots.QueueDraw()
		}
		g.refresh()
	})
}

// askGrid asks the gateway how the servers are, and not for ever.
func (p *page) askGrid(grid *core.Grid, done func(core.Status, error)) {
	run(p.ctx, func(ctx context.Context) (core.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*lookInterval)
		defer cancel()
		return grid.Status(ctx)
	}, done)
}

func (g *gridPage) refresh() {
	v := g.view()
	g.State.SetText(v.state)
	g.Way.SetText(v.way)
	g.Margin.SetText(v.margin)
	if v.enough {
		v.reason = g.use.step
	}
	g.Reason.SetText(v.reason)
	if v.enough != g.Next.GetSensitive() {
		g.Next.SetSensitive(v.enough)
		g.offer(g.Next)
	}
	g.Again.SetVisible(v.failed)
	g.Spinner.SetVisible(v.waiting)
	if v.waiting {
		g.Spinner.Start()
	} else {
		g.Spinner.Stop()
	}
	if g.s.failed != nil && !g.told && g.w.top() == g.page {
		g.told = true
		g.explain(g.s.failed)
	}
}

// offer gives the keyboard to b, which can be pressed from now on, unless it is
// in use elsewhere.
func (g *gridPage) offer(b *gtk.Button) {
	if _, nowhere := g.w.Window.GetFocus(); g.w.top() == g.page && (nowhere != nil || g.place.ToWidget().IsFocus()) {
		b.GrabFocus()
	}
}

func (g *gridPage) view() gridView {
	return viewOfGrid(gridState{
		phase: g.s.tracker.Status().Phase, up: g.s.grid != nil, startFailed: g.s.failed, askFailed: g.failed,
		status: g.status, writes: g.use.writes,
	})
}

// showServers has one row for each server.
func (g *gridPage) showServers() {
	servers := ordered(g.status.Servers)
	for len(g.rows) < len(g.status.Servers) {
		r := newServerRow()
		g.rows = append(g.rows, r)
		g.List.Add(r.row)
	}
	for i, r := range g.rows {
		r.row.SetVisible(i < len(g.status.Servers))
		if i < len(g.status.Servers) {
			r.show(servers[i], g.s.since[servers[i].Name])
		}
	}
	g.Frame.SetVisible(len(servers) > 0) // round nothing it would be a line
}
