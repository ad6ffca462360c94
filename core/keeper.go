package core

import (
	"context"
	"fmt"
	"os"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
)

// KeeperCommand is the hidden command a front end must answer by calling
// RunKeeper: the process that keeps a gateway or a practice grid after the
// command that asked for it has ended.
const KeeperCommand = "keep-node"

// RunKeeper is that process's whole work. It ends when it is told to stop.
func RunKeeper(ctx context.Context) error { return node.RunKeeper(ctx) }

func keeperArgs() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return []string{self, KeeperCommand}, nil
}

// StartGateway starts a gateway for the manifest that outlives this process:
// Connect finds it. It returns the keeper's process number.
func StartGateway(ctx context.Context, c Config, a *Access) (pid int, err error) {
	config, err := GatewayConfig(c, a)
	if err != nil {
		return 0, err
	}
	argv, err := keeperArgs()
	if err != nil {
		return 0, err
	}
	id, err := a.gatewayID()
	if err != nil {
		return 0, err
	}
	attached, err := node.SpawnKeeper(ctx, argv, id, config)
	if err != nil {
		return 0, err
	}
	return attached.PID, nil
}

// StopGateway stops what StartGateway started and removes its traces.
func StopGateway(c Config, a *Access) error {
	id, err := a.gatewayID()
	if err != nil {
		return err
	}
	return node.StopGateway(c.Directory, id)
}

// Practice is the practice grid: a real grid of storage nodes on loopback.
type Practice struct {
	// Directory is where its data stays; empty is the usual place.
	Directory            string
	Nodes                int // 0: as it was, or 6
	Needed, Happy, Total int // 0: as it was, or the usual
}

// StartPractice starts the practice grid in the background.
func StartPractice(ctx context.Context, p Practice) (PracticeStatus, error) {
	argv, err := keeperArgs()
	if err != nil {
		return PracticeStatus{}, err
	}
	if _, err := node.SpawnPractice(ctx, argv, node.PracticeConfig{
		Dir: p.Directory, Nodes: p.Nodes, Needed: p.Needed, Happy: p.Happy, Total: p.Total,
	}); err != nil {
		return PracticeStatus{}, err
	}
	return StatusOfPractice(p.Directory)
}

// StopPractice stops the practice grid. What it stores stays.
func StopPractice(directory string) error { return node.StopPractice(directory) }

// PracticeStatus says how the practice grid is doing.
type PracticeStatus struct {
	Directory            string
	Running              bool
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
	status := PracticeStatus{Directory: s.Dir, Running: s.Keeper != 0, Needed: s.Needed, Happy: s.Happy, Total: s.Total}
	for _, n := range s.Nodes {
		status.Nodes = append(status.Nodes, PracticeNode(n))
	}
	return status, nil
}

// PracticeGrid describes the practice grid for a manifest. The servers are
// pinned: the manifest opens the grid without the introducer.
func PracticeGrid(directory string) (manifest.Grid, error) {
	g, err := node.PracticeGrid(directory)
	if err != nil {
		return manifest.Grid{}, err
	}
	grid := manifest.Grid{Network: manifest.NetworkPractice, Needed: g.Needed, Happy: g.Happy, Total: g.Total}
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
		grid.Servers = append(grid.Servers, pinned)
	}
	return grid, grid.Validate()
}
