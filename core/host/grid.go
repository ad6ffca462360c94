package host

import (
	"fmt"
	"time"

	"hiddenbackup/core/manifest"
)

// Numbers say how files are spread over a grid. Zero is the usual.
type Numbers struct{ Needed, Happy, Total int }

// Grid is the grid that invites open, for a manifest. The usual numbers: one
// share for each server, half of them (rounded up) bring a file back, and
// happy is half way between.
func Grid(invites []*Invite, n Numbers, now time.Time) (manifest.Grid, error) {
	g, _, err := AddToGrid(manifest.Grid{Network: manifest.NetworkTor}, invites, n, now)
	return g, err
}

// Change is what AddToGrid did with an invite.
type Change struct {
	Server  string // its nickname
	Renewed bool   // it was there; its address, key and labels are new now
}

// AddToGrid adds the servers of invites to a grid over Tor. Zero numbers stay as they are,
// but that there is a share for each new server.
func AddToGrid(g manifest.Grid, invites []*Invite, n Numbers, now time.Time) (manifest.Grid, []Change, error) {
	if g.Network != manifest.NetworkTor {
		return g, nil, fmt.Errorf("%w: invites are for grids over Tor, and this one is of the network %q", manifest.ErrNetwork, g.Network)
	}
	fresh := len(g.Servers)+len(g.Introducers) == 0
	g.Servers = append([]manifest.Server(nil), g.Servers...)
	g.Introducers = append([]manifest.Introducer(nil), g.Introducers...)
	var changes []Change
	added := 0
	for _, i := range invites {
		if err := i.Check(now); err != nil {
			return g, nil, err
		}
		renewed, err := add(&g, i)
		if err != nil {
			return g, nil, err
		}
		if !renewed && i.Service == "storage" {
			added++
		}
		changes = append(changes, Change{i.Server.Nickname, renewed})
	}
	if fresh {
		n = n.usual(len(g.Servers))
	} else {
		n = n.or(Numbers{g.Needed, g.Happy, g.Total + added})
	}
	g.Needed, g.Happy, g.Total = n.Needed, n.Happy, n.Total
	return g, changes, g.Validate()
}

// add reports whether the server was there already.
func add(g *manifest.Grid, i *Invite) (renewed bool, err error) {
	if i.Service == "introducer" {
		for k, in := range g.Introducers {
			if in.Furl.TubID() == i.Server.Furl.TubID() {
				g.Introducers[k].Furl = i.Server.Furl
				return true, nil
			}
		}
		g.Introducers = append(g.Introducers, manifest.Introducer{Name: i.Server.Nickname, Furl: i.Server.Furl})
		return false, nil
	}
	for k, s := range g.Servers {
		if s.ID != i.Server.ID && s.Furl.TubID() != i.Server.Furl.TubID() {
			continue
		}
		// Both are the hash of a key of the server's. An invite with one of them
		// alone would put its maker in the place of somebody else's server.
		if s.ID != i.Server.ID || s.Furl.TubID() != i.Server.Furl.TubID() {
			return false, fmt.Errorf("%w: %q and %q", ErrSameServer, s.Nickname, i.Server.Nickname)
		}
		g.Servers[k] = i.Server
		return true, nil
	}
	g.Servers = append(g.Servers, i.Server)
	return false, nil
}

func (n Numbers) usual(servers int) Numbers {
	total := n.Total
	if total == 0 {
		total = servers
	}
	needed := n.Needed
	if needed == 0 {
		needed = (total + 1) / 2
	}
	return n.or(Numbers{needed, needed + (total-needed+1)/2, total})
}

// or fills in what is zero.
func (n Numbers) or(m Numbers) Numbers {
	for _, p := range []struct{ to, from *int }{{&n.Needed, &m.Needed}, {&n.Happy, &m.Happy}, {&n.Total, &m.Total}} {
		if *p.to == 0 {
			*p.to = *p.from
		}
	}
	return n
}
