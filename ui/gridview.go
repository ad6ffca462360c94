package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
)

// gridState is what is known of a grid.
type gridState struct {
	phase                  progress.Phase // of connecting
	up                     bool           // the gateway answered once
	startFailed, askFailed error
	status                 core.Status
	writes                 bool
}

// gridView is a grid in words.
type gridView struct {
	state, margin string
	way           string // how we are connected: tor, gateway, introducers
	reason        string // why it cannot go on; empty: it can
	enough        bool
	waiting       bool
	failed        bool // only another try helps
}

// viewOfGrid says the cause, not what follows from it: without a gateway
// nobody knows anything of servers.
func viewOfGrid(g gridState) gridView {
	s := g.status
	need := s.Needed
	if g.writes {
		need = s.ToWrite
	}
	v := gridView{margin: margin(s)}
	if g.up && g.startFailed == nil && g.askFailed == nil {
		v.way = wayText(s)
	}
	switch {
	case g.startFailed != nil:
		v.state, v.failed = T("Not connected."), true
		v.reason = explain(g.startFailed).Title
	case !g.up:
		v.state, v.waiting = phaseText(g.phase)+"…", true
		v.reason = T("Waiting for the connection.")
	case s.TorAway != nil && g.askFailed == nil:
		v.state, v.waiting = explain(s.TorAway).Title, true
		v.reason = T("Waiting for Tor.")
	case len(s.Servers) == 0 && g.askFailed == nil:
		v.state, v.waiting = T("Looking for storage servers…"), true
		v.reason = T("No server has answered yet.")
	case g.askFailed != nil:
		v.state, v.waiting = explain(g.askFailed).Title, true
		v.reason = T("Waiting for the gateway.")
	case s.Usable < need:
		v.state, v.waiting = answering(s), true
		v.reason = fmt.Sprintf(N("%d more server has to answer.", "%d more servers have to answer.", need-s.Usable), need-s.Usable)
	default:
		v.state, v.enough = answering(s), true
	}
	return v
}

// wayText says what stands between us and the servers. The gateway has answered.
func wayText(s core.Status) string {
	words := []string{T("The gateway answers.")}
	switch {
	case s.Tor == nil:
	case s.TorAway != nil:
		words = append([]string{T("Tor is away.")}, words...)
	case s.Tor.Percent >= 0 && s.Tor.Percent < 100:
		words = append([]string{fmt.Sprintf(T("Tor is connecting: %d %%."), s.Tor.Percent)}, words...)
	default:
		words = append([]string{T("Tor is there.")}, words...)
	}
	if n := len(s.Introducers); n > 0 {
		there := 0
		for _, i := range s.Introducers {
			if i.Connected {
				there++
			}
		}
		words = append(words, fmt.Sprintf(N("%d of %d introducer answers.", "%d of %d introducers answer.", n), there, n))
	}
	return strings.Join(words, " ")
}

func answering(s core.Status) string {
	return fmt.Sprintf(N("%d of %d server answers.", "%d of %d servers answer.", len(s.Servers)), s.Usable, len(s.Servers)) + " " +
		fmt.Sprintf(T("Restoring needs %d, backing up %d."), s.Needed, s.ToWrite)
}

// margin is what the picture of the servers says in words.
func margin(s core.Status) string {
	if s.Total == 0 {
		return ""
	}
	return fmt.Sprintf(N("When a backup reaches all of them, any %d of these may vanish for good; it reaches at least %d.", "When a backup reaches all of them, any %d of these may vanish for good; it reaches at least %d.", s.Total-s.Needed), s.Total-s.Needed, s.Happy)
}

// ordered are the servers as people look for them: those that answer first, as
// in the picture above, and by their names.
func ordered(servers []core.ServerStatus) []core.ServerStatus {
	rank := func(s core.ServerStatus) int {
		switch {
		case !s.Connected:
			return 2
		case s.Silent:
			return 1
		}
		return 0
	}
	servers = slices.Clone(servers)
	slices.SortStableFunc(servers, func(a, b core.ServerStatus) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name, b.Name))
	})
	return servers
}

// serverDetail is what those who run the server may ask for.
func serverDetail(s core.ServerStatus, since time.Time) string {
	connected, heard := "", ""
	if !since.IsZero() {
		connected = fmt.Sprintf(T("Connected since: %s"), moment(since))
	}
	if !s.LastHeard.IsZero() {
		heard = fmt.Sprintf(T("Heard of last: %s"), moment(s.LastHeard))
	}
	return lines(shown(s.Text), connected, heard)
}

// connectedSince is since when servers were seen connected, by their names: the
// gateway does not say it.
type connectedSince map[string]time.Time

func (c connectedSince) note(servers []core.ServerStatus, now time.Time) {
	for _, s := range servers {
		switch _, was := c[s.Name]; {
		case !s.Connected:
			delete(c, s.Name)
		case !was:
			c[s.Name] = now
		}
	}
}

// serverText says how a server is.
func serverText(s core.ServerStatus) string {
	switch {
	case s.Silent:
		return fmt.Sprintf(T("connected, but silent for %s"), span(time.Since(s.LastHeard)))
	case !s.Connected:
		return T("does not answer")
	case s.AvailableSpace == 0:
		return T("connected, takes nothing more")
	case s.AvailableSpace > 0:
		return fmt.Sprintf(T("connected, %s free"), size(s.AvailableSpace))
	}
	return T("connected")
}

// serverAbout says whose it is and where.
func serverAbout(s core.ServerStatus) string {
	var about []string
	for _, word := range []string{s.Operator, s.Place} {
		if word != "" {
			about = append(about, shown(word))
		}
	}
	return strings.Join(about, ", ")
}
