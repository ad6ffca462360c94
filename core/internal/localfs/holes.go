package localfs

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// Extent is a range of a file that holds data; what lies between two is zeros.
type Extent struct{ Offset, Length int64 }

// Extents yields the data of the first size bytes of f in order. Where the file
// system does not tell holes apart that is one extent. It moves the offset of
// f: read with ReadAt. An error is yielded last. Worth its calls only for a
// file whose Blocks do not cover its Size.
func Extents(f *os.File, size int64) iter.Seq2[Extent, error] {
	return extents(f, 0, size)
}

// extents are those between from and to.
func extents(f *os.File, from, to int64) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		for off := from; off < to; {
			start, err := f.Seek(off, unix.SEEK_DATA)
			if errors.Is(err, unix.ENXIO) || err == nil && start >= to {
				return // nothing but a hole up to the end
			}
			end := to
			if err == nil {
				end, err = f.Seek(start, unix.SEEK_HOLE)
			}
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
				start, end, err = off, to, nil
			}
			if err == nil && (start < off || end <= start) {
				// The file was cut short between the two calls.
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				yield(Extent{}, err)
				return
			}
			end = min(end, to)
			if !yield(Extent{start, end - start}, nil) {
				return
			}
			off = end
		}
	}
}

// Zero reports whether n bytes of f from off on are zeros; what is beyond the
// end counts as such. It does not read holes, and moves the offset of f.
func Zero(f *os.File, off, n int64) (bool, error) {
	var buf []byte
	for x, err := range extents(f, off, off+n) {
		if err != nil {
			return false, err
		}
		if buf == nil {
			buf = make([]byte, min(n, 64<<10))
		}
		for x.Length > 0 {
			b := buf[:min(x.Length, int64(len(buf)))]
			got, err := f.ReadAt(b, x.Offset)
			if len(bytes.TrimLeft(b[:got], "\x00")) > 0 {
				return false, nil
			}
			if errors.Is(err, io.EOF) {
				return true, nil
			}
			if err != nil {
				return false, err
			}
			x.Offset, x.Length = x.Offset+int64(got), x.Length-int64(got)
		}
	}
	return true, nil
}
