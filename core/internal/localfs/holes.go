package localfs

import (
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
	return func(yield func(Extent, error) bool) {
		for off := int64(0); off < size; {
			start, err := f.Seek(off, unix.SEEK_DATA)
			if errors.Is(err, unix.ENXIO) || err == nil && start >= size {
				return // nothing but a hole up to the end
			}
			end := size
			if err == nil {
				end, err = f.Seek(start, unix.SEEK_HOLE)
			}
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
				start, end, err = off, size, nil
			}
			if err == nil && (start < off || end <= start) {
				// The file was cut short between the two calls.
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				yield(Extent{}, err)
				return
			}
			end = min(end, size)
			if !yield(Extent{start, end - start}, nil) {
				return
			}
			off = end
		}
	}
}
