package ui

import (
	"context"
	"fmt"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// restoreConnect waits until enough servers answer and the snapshots are read,
// and leads on by itself.
type restoreConnect struct {
	*page
	Step    *gtk.Label   `ui:"step_label"`
	Phase   *gtk.Label   `ui:"phase_label"`
	Detail  *gtk.Label   `ui:"detail_label"`
	Spinner *gtk.Spinner `ui:"spinner"`
	Again   *gtk.Button  `ui:"again_button"`

	g       *guide
	asked   bool // for the snapshots
	asking  bool // for the servers
	servers string
	enough  bool // of them answer
}

// look is how often the state of the servers is asked for.
const lookEvery = 500 * time.Millisecond

func newRestoreConnect(g *guide) *restoreConnect {
	c := &restoreConnect{g: g}
	c.page = g.w.newPage("restoreconnect", T("Connect to the Grid"), c)
	c.Step.SetText(step(2))
	c.initial = c.Again
	c.Again.Connect("clicked", c.begin)
	c.entered = c.begin
	every(c.ctx, lookEvery, c.refresh)
	return c
}

// begin starts over.
func (c *restoreConnect) begin() {
	c.quiet()
	c.asked, c.servers = false, ""
	c.Again.SetSensitive(false)
	c.Spinner.Start()
	c.g.s.connect()
	c.refresh()
}

// refresh shows how far it is, the cause of a wait before its symptoms.
func (c *restoreConnect) refresh() {
	s := c.g.s
	switch {
	case s.failed != nil:
		c.stuck(s.failed)
	case s.grid == nil:
		c.Phase.SetText(phaseText(s.tracker.Status().Phase))
		c.Detail.SetText(T("This takes some seconds, over Tor up to some minutes."))
	default:
		c.Phase.SetText(T("Waiting for storage servers"))
		if c.enough {
			c.Phase.SetText(T("Reading the list of snapshots"))
		}
		c.Detail.SetText(c.servers)
		c.askServers()
		c.askSnapshots()
	}
}

// stuck shows why it does not go on.
func (c *restoreConnect) stuck(err error) {
	if c.Again.GetSensitive() {
		return // it is shown already
	}
	c.Spinner.Stop()
	c.Phase.SetText(T("Not connected"))
	c.Detail.SetText(T("Your backup is untouched: it stays on the servers, whether they answer now or not."))
	c.Again.SetSensitive(true)
	c.explain(err)
}

func (c *restoreConnect) askServers() {
	if c.asking {
		return
	}
	c.asking = true
	grid := c.g.s.grid
	run(c.ctx, grid.Status, func(s core.Status, err error) {
		c.asking = false
		if err == nil {
			c.enough = s.Usable >= s.Needed
			c.servers = fmt.Sprintf(N("%d of %d storage servers answers; %d are enough.", "%d of %d storage servers answer; %d are enough.", s.Usable),
				s.Usable, max(len(s.Servers), s.Total), s.Needed)
		}
	})
}

func (c *restoreConnect) askSnapshots() {
	if c.asked {
		return
	}
	c.asked = true
	grid := c.g.s.grid
	run(c.ctx, func(ctx context.Context) (*core.Snapshots, error) { return grid.Snapshots(ctx) }, func(list *core.Snapshots, err error) {
		if err != nil {
			c.g.s.failed = nil
			c.stuck(err)
			return
		}
		c.g.list = list
		if c.w.top() == c.page {
			c.w.instead(newRestoreSnapshot(c.g).page)
		}
	})
}
