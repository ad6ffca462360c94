package backup

import (
	"context"

	"hiddenbackup/core/snapshot"
)

// packer fills packs. Not for concurrent use.
type packer struct {
	ctx  context.Context
	fail context.CancelCauseFunc
	keys *snapshot.Keys
	up   *uploader
	open *snapshot.PackBuilder
	full int // packs finished
}

// add places a sealed chunk and returns where.
func (p *packer) add(id snapshot.ChunkID, sealed []byte, length int) (snapshot.ChunkRef, error) {
	if p.open != nil && !p.open.Fits(len(sealed)) {
		if err := p.finish(true); err != nil {
			return snapshot.ChunkRef{}, err
		}
	}
	if p.open == nil {
		buf, err := p.up.buffer(p.ctx)
		if err != nil {
			return snapshot.ChunkRef{}, err
		}
		p.open = p.keys.NewPack(buf)
	}
	return p.open.Add(id, sealed, length), nil
}

// finish hands the open pack, if any, to the uploader.
func (p *packer) finish(full bool) error {
	if p.open == nil {
		return nil
	}
	b := p.open
	p.open = nil
	data, err := b.Finish(full)
	if err != nil {
		return err
	}
	p.full++
	p.up.send(p.ctx, p.fail, b.ID(), data)
	return nil
}
