package vault

import (
	"context"
	"io"
	"sync"

	"hiddenbackup/core/snapshot"
)

// fetchBuffer is the memory one Fetch works in.
type fetchBuffer struct{ sealed, plain []byte }

var fetchBuffers = sync.Pool{New: func() any { return new(fetchBuffer) }}

// maxListingRange bounds how much of a listing is fetched with one request and
// so held in memory, times inFlight.
const maxListingRange = 4 << 20

// Listing reads the entries of s, fetching a few requests ahead. The caller
// closes the returned reader.
func (v *Vault) Listing(ctx context.Context, s *snapshot.Snapshot, moved func(int64)) (*Listing, error) {
	ranges, err := sequentialRanges(s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Listing{cancel: cancel, parts: make(chan *part, inFlight)}
	l.ListingReader = snapshot.NewListingReader(l)
	l.wait.Add(1)
	go func() {
		defer l.wait.Done()
		defer close(l.parts)
		for _, r := range ranges {
			p := &part{done: make(chan struct{})}
			select {
			case l.parts <- p:
			case <-ctx.Done():
				l.cut = context.Cause(ctx) // a listing that was cut is not a short one
				return
			}
			l.wait.Add(1)
			go func() {
				defer l.wait.Done()
				defer close(p.done)
				p.err = v.Fetch(ctx, r, moved, func(_ snapshot.ChunkRef, plain []byte) error {
					p.data = append(p.data, plain...)
					return nil
				})
			}()
		}
	}()
	return l, nil
}

// sequentialRanges is Ranges for chunks whose order matters.
func sequentialRanges(s *snapshot.Snapshot) ([]Range, error) {
	var ranges []Range
	size := int64(0)
	for _, r := range s.Listing {
		if err := s.CheckRef(r); err != nil {
			return nil, err
		}
		if n := len(ranges); n > 0 {
			last := &ranges[n-1]
			gap := int64(r.Offset) - last.end()
			if last.Pack.ID == r.Pack && gap >= 0 && gap <= maxGap && size+r.Length <= maxListingRange {
				last.Chunks = append(last.Chunks, r)
				size += r.Length
				continue
			}
		}
		ranges = append(ranges, Range{Pack: s.Packs[r.Pack], Chunks: []snapshot.ChunkRef{r}})
		size = r.Length
	}
	return ranges, nil
}

// Listing is a snapshot's listing while it is read. Not for concurrent use.
type Listing struct {
	*snapshot.ListingReader
	cancel context.CancelFunc
	wait   sync.WaitGroup
	parts  chan *part
	rest   []byte
	cut    error // why parts ended early; set before it is closed
}

// part is one request's worth of listing; data and err are set once done is closed.
type part struct {
	done chan struct{}
	data []byte
	err  error
}

// Read gives the listing's bytes to the decoder.
func (l *Listing) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		next, ok := <-l.parts
		if !ok && l.cut != nil {
			return 0, l.cut
		}
		if !ok {
			return 0, io.EOF
		}
		<-next.done
		if next.err != nil {
			return 0, next.err
		}
		l.rest = next.data
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Close stops fetching and waits for what is under way.
func (l *Listing) Close() {
	l.cancel()
	l.wait.Wait()
}
