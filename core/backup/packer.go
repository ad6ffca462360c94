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
	open []*openPack // the oldest first
	full int         // packs finished
}

// openPack is a pack that is being filled, and how much of the content it has.
type openPack struct {
	*snapshot.PackBuilder
	plain int64
}

// add places a sealed chunk and returns where.
func (p *packer) add(id snapshot.ChunkID, sealed []byte, length int) (snapshot.ChunkRef, error) {
	for _, b := range p.open {
		if b.Fits(len(sealed)) {
			return p.fill(b, id, sealed, length), nil
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
	b := &openPack{PackBuilder: p.keys.NewPack(buf)}
	p.open = append(p.open, b)
	return p.fill(b, id, sealed, length), nil
}

func (p *packer) fill(b *openPack, id snapshot.ChunkID, sealed []byte, length int) snapshot.ChunkRef {
	b.plain += int64(length)
	p.up.tracker.Sending(int64(length))
	return b.Add(id, sealed, length)
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
	p.up.send(p.ctx, p.fail, b.ID(), data, b.plain)
	return nil
}
