package snapshot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ListingWriter writes entries as a CBOR sequence (RFC 8742) in path order.
type ListingWriter struct {
	w    io.Writer
	last []byte
}

// NewListingWriter writes to w, one Write an entry.
func NewListingWriter(w io.Writer) *ListingWriter { return &ListingWriter{w: w} }

// Write appends e, which must come after the entry before it.
func (l *ListingWriter) Write(e *Entry) error {
	if err := e.Validate(); err != nil {
		return fmt.Errorf("listing %q: %w", e.Path, err)
	}
	if l.last != nil && ComparePaths(l.last, e.Path) >= 0 {
		return fmt.Errorf("%w: %q listed after %q", ErrFormat, e.Path, l.last)
	}
	l.last = append(l.last[:0], e.Path...)
	b, err := encMode.Marshal(e)
	if err != nil {
		return fmt.Errorf("listing %q: %w", e.Path, err)
	}
	_, err = l.w.Write(b)
	return err
}

// ListingReader reads what a ListingWriter wrote and refuses everything else:
// entries out of order, twice, or with names that are no names.
type ListingReader struct {
	dec interface {
		Decode(any) error
	}
	last []byte
}

// NewListingReader reads from r.
func NewListingReader(r io.Reader) *ListingReader {
	return &ListingReader{dec: decMode.NewDecoder(bufio.NewReaderSize(r, 64<<10))}
}

// Next returns the next entry, and io.EOF after the last.
func (l *ListingReader) Next() (*Entry, error) {
	e := new(Entry)
	if err := l.dec.Decode(e); err != nil {
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("reading the listing: %w", err)
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if l.last != nil && ComparePaths(l.last, e.Path) >= 0 {
		return nil, fmt.Errorf("%w: listing out of order", ErrFormat)
	}
	l.last = append(l.last[:0], e.Path...)
	return e, nil
}

// CutListing reads a listing from r and hands each of its chunks to chunk, in
// memory that chunk may keep only until it returns.
func (k *Keys) CutListing(r io.Reader, chunk func(plain []byte) error) error {
	c := k.newListingCutter(r)
	buf := make([]byte, 0, MinChunk)
	for {
		next, err := c.Next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := chunk(next.Data); err != nil {
			return err
		}
		buf = next.Data
	}
}
