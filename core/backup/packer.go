package backup

import (
	"context"

	"hiddenbackup/core/snapshot"
)

// maxOpen packs are filled side by side: a chunk too large for what is left of
// one goes into the next, and smaller ones still fill the gap. One alone would
// leave half a chunk empty, some 4 % of a pack.
const maxOpen = 2

// packer fills packs. Not for concurrent use.
type packer struct {
	ctx  context.Context
	fail context.CancelCauseFunc
	keys *snapshot.Keys
	up   *uploader
	open []*snapshot.PackBuilder // the oldest first
	full int                     // packs finished
}

// add places a sealed chunk and returns where.
func (p *packer) add(id snapshot.ChunkID, sealed []byte, length int) (snapshot.ChunkRef, error) {
	for _, b := range p.open {
		if b.Fits(len(sealed)) {
			return b.Add(id, sealed, length), nil
		}
	}
	if len(p.open) == maxOpen {
		if err := p.send(true); err != nil {
			return snapshot.ChunkRef{}, err
		}
	}
	buf, err := p.up.buffer(p.ctx)
	if err != nil {
		return snapshot.ChunkRef{}, err
	}
	b := p.keys.NewPack(buf)
	p.open = append(p.open, b)
	return b.Add(id, sealed, length), nil
}

// finish hands the packs that are still open to the uploader.
func (p *packer) finish() error {
	for len(p.open) > 0 {
		if err := p.send(false); err != nil {
			return err
		}
	}
	return nil
}

// send closes the oldest pack and hands it to the uploader.
func (p *packer) send(full bool) error {
	b := p.open[0]
	p.open = p.open[1:]
	data, err := b.Finish(full)
	if err != nil {
		return err
	}
	p.full++
	p.up.send(p.ctx, p.fail, b.ID(), data)
	return nil
}
