package node

import (
	"context"
	"slices"
)

// StopNode stops storage node i in good order.
func (p *Practice) StopNode(i int) error { return p.nodes[i].stop() }

// StopIntroducer stops the introducer in good order, until the grid is started again.
func (p *Practice) StopIntroducer() error { return p.introducer.stop() }

// KillNode ends storage node i without warning, as a power cut does.
func (p *Practice) KillNode(i int) error { return p.nodes[i].kill() }

// StartNode starts storage node i again and returns when it answers.
func (p *Practice) StartNode(ctx context.Context, i int) error {
	if err := p.nodes[i].start(ctx, p.tahoe, p.introducerFurl()); err != nil {
		return err
	}
	// The other nodes may be starting as well, and writing their files.
	server, err := p.nodes[i].server()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grid.Servers = slices.Clone(p.grid.Servers) // Grid has given it away
	p.grid.Servers[i] = server
	return p.note()
}

// StorageMode is what a storage node takes. In every mode it gives what it has,
// and lets the directories it holds be changed: so are Tahoe's storage nodes.
type StorageMode int

// The modes.
const (
	Writable StorageMode = iota
	Full                 // as if its disk were full
	ReadOnly             // as its operator may set it
)

// RestartNode stops storage node i and starts it in another mode. The mode
// ends with the grid.
func (p *Practice) RestartNode(ctx context.Context, i int, mode StorageMode) error {
	if err := p.StopNode(i); err != nil {
		return err
	}
	p.nodes[i].set(mode)
	return p.StartNode(ctx, i)
}

// Suspend makes storage node i hang: its connections stay, and say nothing.
func (p *Practice) Suspend(i int) error { return p.nodes[i].signal(suspend) }

// Resume ends Suspend.
func (p *Practice) Resume(i int) error { return p.nodes[i].signal(resume) }
