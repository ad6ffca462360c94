package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// RepackReport says what Repack did.
type RepackReport struct {
	Thinned int // packs whose live chunks were moved
	Packs   int // new ones
	Weak    int // of those, with fewer shares on the grid than there should be
	// Left says why packs or listings could not be read; nothing was moved out
	// of those packs, or out of any that such a listing names.
	Left []error
}

// Repacked is what Repack has prepared: new packs that no snapshot names yet.
type Repacked struct {
	Report RepackReport
	r      *repack
}

// Repack moves what is live out of packs of which less than half is, sealed as
// it is, and writes the listings anew that name it. keep are the snapshots that
// stay, newest first, and as the directory links them now; what pinned needs,
// nil for none, is left where it is, because a manifest out there names it.
//
//	listings of all that stay → what is live in each pack
//	  → live chunks of mostly dead packs, opened → new packs
//	  → listings with the new places, cut → what is new of them → new packs
//	  → the same for packs of listings
//	  → every new pack confirmed, its footer and every new listing read back
//
// A small pack that is live stays, too: to merge it with others would send it, and
// listings, again for one round trip less in each check.
//
// It changes no snapshot: Renew says how they change, and what is missing then
// is the link. A run that is cut off costs the new packs and nothing else. The
// caller holds the vault's mark.
//
// Memory holds some 10 bytes for each live chunk and 24 more for each that is
// moved, whatever its size: a vault of ten million small files takes 100 MB, and
// more where much is moved.
func Repack(ctx context.Context, v *vault.Vault, keep []vault.Link, pinned *snapshot.Snapshot, t *progress.Tracker) (*Repacked, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	t.SetPhase(progress.PhaseForget)
	r := &repack{v: v, tracker: t, packs: make(map[snapshot.PackID]*usage), stored: make(map[snapshot.PackID]snapshot.Pack), number: make(map[snapshot.PackID]uint32)}
	up := newUploader(v, nil, t, DefaultUploads, r.stored)
	r.contents = &packer{ctx: ctx, fail: fail, keys: v.Keys, up: up}
	r.listings = &listingPacker{packer: packer{ctx: ctx, fail: fail, keys: v.Keys, up: up}, index: newIndex()}
	if pinned != nil {
		for _, p := range pinned.Packs {
			r.use(p).fixed = true
		}
	}
	err := r.store(ctx, keep)
	if err != nil {
		fail(err)
	}
	err = errors.Join(err, up.wait())
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, err
	}
	r.report.Packs = len(r.stored)
	t.SetPhase(progress.PhaseVerify)
	if err := r.verify(ctx); err != nil {
		return nil, fmt.Errorf("checking what was stored: %w", err)
	}
	return &Repacked{Report: r.report, r: r}, nil
}

// Renew returns the new form of a snapshot, nil where it stays as it is; for
// vault.Change.
func (p *Repacked) Renew(s *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	return p.r.renewed(s), nil
}

// repack is the state of one Repack.
type repack struct {
	v        *vault.Vault
	tracker  *progress.Tracker
	report   RepackReport
	packs    map[snapshot.PackID]*usage // all that stay in use
	content  []*usage                   // those with content, in the order of its paths
	kept     []*kept                    // newest first
	stored   map[snapshot.PackID]snapshot.Pack
	contents *packer
	listings *listingPacker

	mu     sync.Mutex // packs are read side by side
	fresh  []snapshot.PackID
	number map[snapshot.PackID]uint32 // in fresh
}

// store makes the new packs and hands all of them to the uploader.
func (r *repack) store(ctx context.Context, keep []vault.Link) error {
	if err := r.read(ctx, keep); err != nil {
		return err
	}
	if err := r.thin(ctx, r.content, r.contents); err != nil {
		return err
	}
	for _, k := range r.kept {
		if k.whole {
			for _, ref := range k.listing {
				r.listings.index.add(r.place(ref))
			}
		}
	}
	for _, k := range r.kept {
		if r.names(k.link.Sequence) {
			if err := r.rewrite(ctx, k); err != nil {
				return err
			}
		}
	}
	if err := r.thinListings(ctx); err != nil {
		return err
	}
	return errors.Join(r.contents.finish(), r.listings.finish())
}

// names reports whether an entry of snapshot n has a chunk that was moved.
func (r *repack) names(n uint64) bool {
	return slices.ContainsFunc(r.content, func(u *usage) bool { return u.moved != nil && slices.Contains(u.users, n) })
}

// rewrite writes a listing with the new places. What of it is stored already is
// not stored again.
func (r *repack) rewrite(ctx context.Context, k *kept) error {
	l, err := r.v.Listing(ctx, k.old, r.tracker.Moved)
	if err != nil {
		return err
	}
	defer l.Close()
	pipe, write := io.Pipe()
	var g errgroup.Group
	g.Go(func() error {
		err := r.translate(l, snapshot.NewListingWriter(write), k)
		write.CloseWithError(err) // nil ends the listing
		return err
	})
	g.Go(func() error {
		err := r.v.Keys.CutListing(pipe, r.listings.chunk)
		pipe.CloseWithError(err)
		return err
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("writing the listing of snapshot %d anew: %w", k.link.Sequence, err)
	}
	k.listing, k.changed = r.listings.refs, true
	r.listings.refs = nil
	return nil
}

func (r *repack) translate(l *vault.Listing, to *snapshot.ListingWriter, k *kept) error {
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, ref := range e.Chunks {
			e.Chunks[i] = r.place(ref)
			if e.Chunks[i].Pack != ref.Pack {
				k.used[e.Chunks[i].Pack] = true
			}
		}
		if err := to.Write(e); err != nil {
			return err
		}
	}
}

// thinListings moves listing chunks, by what all listings need now.
func (r *repack) thinListings(ctx context.Context) error {
	var packs []*usage
	for _, k := range r.kept {
		for _, ref := range k.listing {
			u := r.packs[ref.Pack]
			if u == nil || len(u.users) > 0 {
				continue // new, or content and done
			}
			if len(u.live.all) == 0 {
				packs = append(packs, u)
			}
			u.live.add(ref)
		}
	}
	if err := r.thin(ctx, packs, &r.listings.packer); err != nil {
		return err
	}
	for _, k := range r.kept {
		listing := make([]snapshot.ChunkRef, len(k.listing))
		for i, ref := range k.listing {
			listing[i] = r.place(ref)
			k.changed = k.changed || listing[i] != ref
		}
		k.listing = listing
	}
	return nil
}

// renewed is the new form of s, nil where it stays as it is: the same Info, the
// new listing, and the packs that it needs now.
func (r *repack) renewed(s *snapshot.Snapshot) *snapshot.Snapshot {
	i := slices.IndexFunc(r.kept, func(k *kept) bool { return k.link.Sequence == s.Sequence })
	if i < 0 || !r.kept[i].changed {
		return nil
	}
	k := r.kept[i]
	fresh := &snapshot.Snapshot{Info: s.Info, Listing: k.listing, Packs: make(map[snapshot.PackID]snapshot.Pack)}
	for id, p := range s.Packs {
		if u := r.packs[id]; u != nil && u.moved == nil && slices.Contains(u.users, s.Sequence) {
			fresh.Packs[id] = p
		}
	}
	for id := range k.used {
		fresh.Packs[id] = r.stored[id]
	}
	for _, ref := range k.listing {
		if _, known := fresh.Packs[ref.Pack]; known {
			continue
		}
		if p, ok := s.Packs[ref.Pack]; ok {
			fresh.Packs[ref.Pack] = p
		} else if p, ok := r.stored[ref.Pack]; ok {
			fresh.Packs[ref.Pack] = p
		} else if u := r.packs[ref.Pack]; u != nil {
			fresh.Packs[ref.Pack] = u.pack // of another snapshot's listing
		}
	}
	return fresh
}
