package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/time/rate"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// PutPack stores the bytes of a finished pack, counting them with moved.
func (v *Vault) PutPack(ctx context.Context, id snapshot.PackID, data []byte, moved func(int64)) (snapshot.Pack, error) {
	body := &meteredBody{Reader: bytes.NewReader(data), ctx: ctx, limit: v.limits.Upload, moved: moved}
	c, err := v.client.Put(ctx, body, int64(len(data)))
	if err != nil {
		return snapshot.Pack{}, fmt.Errorf("uploading pack %v: %w", id, err)
	}
	v.sent.Add(int64(len(data)))
	return snapshot.Pack{ID: id, Cap: c, Size: int64(len(data))}, nil
}

func (v *Vault) put(ctx context.Context, data []byte) (tahoeclient.Cap, error) {
	c, err := v.client.Put(ctx, bytes.NewReader(data), int64(len(data)))
	if err == nil {
		v.sent.Add(int64(len(data)))
	}
	return c, err
}

// A Range is chunks of one pack in the order of their offsets, near enough to
// be fetched with one request.
type Range struct {
	Pack   snapshot.Pack
	Chunks []snapshot.ChunkRef
	// Last: little or nothing follows. It is fetched in smaller pieces, which end
	// more nearly together.
	Last bool
}

func (r Range) offset() int64 { return int64(r.Chunks[0].Offset) }

func (r Range) end() int64 {
	last := r.Chunks[len(r.Chunks)-1]
	return int64(last.Offset) + int64(last.Sealed)
}

// maxGap is how many unwanted bytes are read over rather than asked around: a
// storage server delivers whole segments of one MiB anyway.
const maxGap = 1 << 20

// Ranges groups refs, which must all be in s, into as few requests as
// sensible, one pack after another in the order of first mention. A chunk
// mentioned twice is fetched once.
func Ranges(s *snapshot.Snapshot, refs []snapshot.ChunkRef) ([]Range, error) {
	var order []snapshot.PackID
	byPack := make(map[snapshot.PackID][]snapshot.ChunkRef)
	for _, r := range refs {
		if r.Hole() {
			continue
		}
		if err := s.CheckRef(r); err != nil {
			return nil, err
		}
		if byPack[r.Pack] == nil {
			order = append(order, r.Pack)
		}
		byPack[r.Pack] = append(byPack[r.Pack], r)
	}
	var ranges []Range
	for _, id := range order {
		chunks := byPack[id]
		slices.SortFunc(chunks, func(a, b snapshot.ChunkRef) int { return int(a.Offset) - int(b.Offset) })
		chunks = slices.CompactFunc(chunks, func(a, b snapshot.ChunkRef) bool { return a.Offset == b.Offset })
		start := 0
		for i := 1; i <= len(chunks); i++ {
			if i == len(chunks) || int64(chunks[i].Offset) > int64(chunks[i-1].Offset)+int64(chunks[i-1].Sealed)+maxGap {
				ranges = append(ranges, Range{Pack: s.Packs[id], Chunks: chunks[start:i]})
				start = i
			}
		}
	}
	return ranges, nil
}

// Fetch gets the chunks of r and calls use for each, one at a time and in the
// order in which they come, with plaintext that is valid until use returns. What
// is damaged is passed over, and the first such error is returned at the end.
// moved counts bytes received; several goroutines call it.
func (v *Vault) Fetch(ctx context.Context, r Range, moved func(int64), use func(snapshot.ChunkRef, []byte) error) error {
	return v.fetch(ctx, r, moved, func(c snapshot.ChunkRef, _, plain []byte) error { return use(c, plain) })
}

// FetchSealed is Fetch for chunks that are to be stored elsewhere as they are:
// each was opened, and use gets it in its seal.
func (v *Vault) FetchSealed(ctx context.Context, r Range, moved func(int64), use func(snapshot.ChunkRef, []byte) error) error {
	return v.fetch(ctx, r, moved, func(c snapshot.ChunkRef, sealed, _ []byte) error { return use(c, sealed) })
}

// Contents lists the chunks a stored pack holds, from its own footer.
func (v *Vault) Contents(ctx context.Context, p snapshot.Pack) ([]snapshot.ChunkRef, error) {
	off, n, err := snapshot.TrailerRange(p.Size)
	if err != nil {
		return nil, err
	}
	trailer, err := v.client.ReadAll(ctx, p.Cap, off, n)
	if err != nil {
		return nil, fmt.Errorf("fetching the end of pack %v: %w", p.ID, err)
	}
	if off, n, err = v.Keys.ReadTrailer(trailer, p.Size); err != nil {
		return nil, fmt.Errorf("pack %v: %w", p.ID, err)
	}
	footer, err := v.client.ReadAll(ctx, p.Cap, off, n)
	if err != nil {
		return nil, fmt.Errorf("fetching the footer of pack %v: %w", p.ID, err)
	}
	id, refs, err := v.Keys.ReadFooter(footer)
	if err != nil {
		return nil, fmt.Errorf("pack %v: %w", p.ID, err)
	}
	if id != p.ID {
		return nil, fmt.Errorf("%w: pack %v in the place of %v", snapshot.ErrFormat, id, p.ID)
	}
	return refs, nil
}

// Check asks the servers for the shares of a pack and renews their leases.
func (v *Vault) Check(ctx context.Context, p snapshot.Pack) (tahoeclient.Health, error) {
	h, err := v.client.Check(ctx, p.Cap, tahoeclient.CheckOptions{AddLease: true})
	if err != nil {
		return h, fmt.Errorf("checking pack %v: %w", p.ID, err)
	}
	return h, nil
}

// Unreadable tells an object that is lost, damaged or not ours from a grid that
// fails: waiting does not help. Shares that are missing may also be those of
// servers that are away, which Complete knows.
func Unreadable(err error) bool {
	return slices.ContainsFunc([]error{
		snapshot.ErrSeal, snapshot.ErrChunk, snapshot.ErrFormat,
		tahoeclient.ErrGone, tahoeclient.ErrNotEnoughShares, tahoeclient.ErrDamaged,
	}, func(e error) bool { return errors.Is(err, e) })
}

// meteredBody counts and, where asked, slows what is read through it.
type meteredBody struct {
	io.Reader
	ctx   context.Context
	limit *rate.Limiter
	moved func(int64)
}

func (b *meteredBody) Read(p []byte) (int, error) {
	if b.limit != nil && len(p) > b.limit.Burst() {
		p = p[:b.limit.Burst()]
	}
	n, err := b.Reader.Read(p)
	if b.moved != nil {
		b.moved(int64(n))
	}
	if b.limit != nil && n > 0 {
		if werr := b.limit.WaitN(b.ctx, n); werr != nil {
			return n, werr
		}
	}
	return n, err
}

// Seek rewinds an upload that is tried again.
func (b *meteredBody) Seek(offset int64, whence int) (int64, error) {
	return b.Reader.(io.Seeker).Seek(offset, whence)
}
