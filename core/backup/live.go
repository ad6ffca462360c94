package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"slices"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// spotSet is a set of places in one pack, 8 bytes each: the offset of a chunk
// and its sealed length in one number. Up to sorted they are in order and once
// each.
type spotSet struct {
	all    []uint64
	sorted int
}

func spotOf(r snapshot.ChunkRef) uint64 { return uint64(r.Offset)<<32 | uint64(r.Sealed) }

func (s *spotSet) add(r snapshot.ChunkRef) {
	s.all = append(s.all, spotOf(r))
	if len(s.all) >= s.sorted+s.sorted/4+256 {
		s.settle() // the next snapshot names most of them again
	}
}

// settle sorts the set and drops what is in it twice.
func (s *spotSet) settle() {
	slices.Sort(s.all)
	s.all = slices.Compact(s.all)
	s.sorted = len(s.all)
}

// bytes is how much of the pack is in the set.
func (s *spotSet) bytes() (n int64) {
	s.settle()
	for _, spot := range s.all {
		n += int64(uint32(spot))
	}
	return n
}

// usage is one pack as the snapshots that stay use it.
type usage struct {
	pack snapshot.Pack
	live spotSet
	// users are the snapshots whose entries have chunks in it; a pack of
	// listings has none.
	users []uint64
	fixed bool // to be left as it is
	// moved says where the chunks of live are now; nil where they were.
	moved []spot
}

// spot is a place in one of the new packs.
type spot struct{ pack, offset uint32 }

// mostlyDead reports whether less than half of the pack is live. The part of the
// footer that a chunk takes lives with it: of a pack of tiny files it is half.
func (u *usage) mostlyDead() bool {
	live := u.live.bytes()
	return !u.fixed && 2*snapshot.PackLength(len(u.live.all), live) < u.pack.Size
}

// kept is one snapshot that stays. What it takes to read its listing is held;
// the rest of its pack table is not.
type kept struct {
	link    vault.Link
	old     *snapshot.Snapshot
	digest  [sha256.Size]byte // of its entries without their places
	listing []snapshot.ChunkRef
	// whole says that the listing was read to its end.
	whole   bool
	changed bool
	used    map[snapshot.PackID]bool // new packs that its entries name
}

// read loads the snapshots that stay and learns from their listings what is
// live. A listing that cannot be read costs the thinning of what it names.
func (r *repack) read(ctx context.Context, links []vault.Link) error {
	for _, l := range links {
		s, err := r.v.Load(ctx, l.Cap, l.Sequence)
		if err != nil {
			return err
		}
		k := &kept{link: l, listing: s.Listing, used: make(map[snapshot.PackID]bool)}
		k.old = &snapshot.Snapshot{Info: s.Info, Listing: s.Listing, Packs: make(map[snapshot.PackID]snapshot.Pack)}
		r.kept = append(r.kept, k)
		movable := false
		for _, p := range s.Packs {
			u := r.use(p)
			u.pack = p // not what the pinned form calls it: that may be damaged and mended since
			movable = !u.fixed || movable
		}
		for _, ref := range s.Listing {
			k.old.Packs[ref.Pack] = s.Packs[ref.Pack]
		}
		if !movable {
			continue
		}
		err = r.readListing(ctx, s, k)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !vault.Unreadable(err):
			return err
		case err != nil:
			r.report.Left = append(r.report.Left, err)
			for id := range s.Packs {
				r.packs[id].fixed = true
			}
		default:
			k.whole = true
		}
	}
	// Listing chunks live by their snapshots, as far as they are in packs of
	// content; what else is needed of listings is known when they are written.
	for _, k := range r.kept {
		for _, ref := range k.listing {
			if u := r.packs[ref.Pack]; len(u.users) > 0 {
				u.live.add(ref)
			}
		}
	}
	return nil
}

func (r *repack) use(p snapshot.Pack) *usage {
	u := r.packs[p.ID]
	if u == nil {
		u = &usage{pack: p}
		r.packs[p.ID] = u
	}
	return u
}

func (r *repack) readListing(ctx context.Context, s *snapshot.Snapshot, k *kept) error {
	l, err := r.v.Listing(ctx, s, r.tracker.Moved)
	if err != nil {
		return err
	}
	defer l.Close()
	digest := newPlaceless()
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, ref := range e.Chunks {
			if ref.Hole() {
				continue
			}
			if err := s.CheckRef(ref); err != nil {
				return err
			}
			u := r.packs[ref.Pack]
			if n := len(u.users); n == 0 || u.users[n-1] != s.Sequence {
				if n == 0 {
					r.content = append(r.content, u)
				}
				u.users = append(u.users, s.Sequence)
			}
			u.live.add(ref)
		}
		if err := digest.add(e); err != nil {
			return err
		}
		r.tracker.Entry(string(e.Path))
	}
	k.digest = digest.sum()
	return nil
}

// placeless hashes entries but for the places of their chunks: all that must
// stay the same when chunks are moved.
type placeless struct {
	hash    hash.Hash
	listing *snapshot.ListingWriter
	chunks  []snapshot.ChunkRef
}

func newPlaceless() *placeless {
	h := sha256.New()
	return &placeless{hash: h, listing: snapshot.NewListingWriter(h)}
}

func (p *placeless) add(e *snapshot.Entry) error {
	p.chunks = append(p.chunks[:0], e.Chunks...)
	for i := range p.chunks {
		p.chunks[i].Pack, p.chunks[i].Offset = snapshot.PackID{}, 0
	}
	bare := *e
	bare.Chunks = p.chunks
	return p.listing.Write(&bare)
}

func (p *placeless) sum() [sha256.Size]byte { return [sha256.Size]byte(p.hash.Sum(nil)) }
