package core

import (
	"context"
	"path/filepath"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor/tornet"
)

// Practice is the practice grid: a real grid of storage nodes on loopback.
type Practice struct {
	// Directory is where its data stays; empty is the usual place.
	Directory            string
	Nodes                int // 0: as it was, or 6
	Needed, Happy, Total int // 0: as it was, or the usual
	// Onions puts the nodes behind onion services, in a Tor network of the
	// grid's own on this computer.
	Onions bool
}

// StartPractice starts the practice grid in the background.
func StartPractice(ctx context.Context, p Practice) (PracticeStatus, error) {
	if p.Onions {
		if err := tornet.Available(); err != nil {
			return PracticeStatus{}, err
		}
	}
	argv, err := keeperArgs()
	if err != nil {
		return PracticeStatus{}, err
	}
	if _, err := node.SpawnPractice(ctx, argv, node.PracticeConfig{
		Dir: p.Directory, Nodes: p.Nodes, Needed: p.Needed, Happy: p.Happy, Total: p.Total, Onions: p.Onions,
	}); err != nil {
		return PracticeStatus{}, toldByKeeper(err)
	}
	return StatusOfPractice(p.Directory)
}

// PracticeStarting says how many storage nodes are up of a practice grid that
// starts in a directory, empty for the usual one, and of how many. Both are 0
// where none starts.
func PracticeStarting(directory string) (up, of int) { return node.PracticeStarting(directory) }

// StopPractice stops the practice grid. What it stores stays.
func StopPractice(directory string) error { return node.StopPractice(directory) }

// PracticeStatus says how the practice grid is doing.
type PracticeStatus struct {
	Directory            string
	Running              bool
	Onions               bool
	Nodes                []PracticeNode
	Needed, Happy, Total int
}

// PracticeNode is one storage node of a practice grid.
type PracticeNode struct {
	Name    string
	Running bool
	Used    int64 // bytes of disk that its shares take
}

// Used is what all nodes together store, in bytes on disk.
func (s PracticeStatus) Used() (sum int64) {
	for _, n := range s.Nodes {
		sum += n.Used
	}
	return sum
}

// StatusOfPractice looks at the practice grid in a directory, empty for the
// usual one.
func StatusOfPractice(directory string) (PracticeStatus, error) {
	s, err := node.StatusOfPractice(directory)
	if err != nil {
		return PracticeStatus{}, err
	}
	status := PracticeStatus{Directory: s.Dir, Running: s.Keeper != 0, Onions: s.Onions, Needed: s.Needed, Happy: s.Happy, Total: s.Total}
	for _, n := range s.Nodes {
		status.Nodes = append(status.Nodes, PracticeNode(n))
	}
	return status, nil
}

// PracticeGrid describes the practice grid for a manifest. The servers are
// pinned: the manifest opens the grid without the introducer.
func PracticeGrid(directory string) (manifest.Grid, error) {
	dir, err := node.PracticeDir(directory)
	if err != nil {
		return manifest.Grid{}, err
	}
	g, err := node.PracticeGrid(dir)
	if err != nil {
		return manifest.Grid{}, err
	}
	grid := manifest.Grid{Network: manifest.Network(g.Network), Needed: g.Needed, Happy: g.Happy, Total: g.Total}
	for _, i := range g.Introducers {
		furl, err := manifest.ParseFurl(i.Furl)
		if err != nil {
			return grid, err
		}
		grid.Introducers = append(grid.Introducers, manifest.Introducer{Name: i.Name, Furl: furl})
	}
	for _, s := range g.Servers {
		furl, err := manifest.ParseFurl(s.Furl)
		if err != nil {
			return grid, err
		}
		pinned := manifest.Server{ID: s.ID, Nickname: s.Nickname, Operator: "practice", Place: "this computer", Furl: furl, LeaseDays: manifest.LeaseForever}
		if pinned.PermutationSeed() != s.Seed {
			pinned.Seed = s.Seed
		}
		if pinned.OnionKey, err = practiceLock(filepath.Join(dir, s.Nickname)); err != nil {
			return grid, err
		}
		grid.Servers = append(grid.Servers, pinned)
	}
	return grid, grid.Validate()
}
