package restore

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// sameContent reports whether the file at path holds exactly what e's chunks
// say. It reads the file and fetches nothing.
func sameContent(tree *localfs.Tree, path []byte, e *snapshot.Entry, buf *[]byte) (bool, error) {
	f, err := tree.OpenRead(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, localfs.ErrInTheWay) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	for _, r := range e.Chunks {
		if r.Hole() {
			if zero, err := allZero(f, r.Length, buf); !zero || err != nil {
				return false, err
			}
			continue
		}
		b := slices.Grow((*buf)[:0], int(r.Length))[:r.Length]
		*buf = b
		if _, err := io.ReadFull(f, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if snapshot.IDOf(b) != r.ID {
			return false, nil
		}
	}
	var one [1]byte
	n, err := f.Read(one[:])
	if n > 0 {
		return false, nil
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err == nil, err
}

func allZero(f io.Reader, n int64, buf *[]byte) (bool, error) {
	b := slices.Grow((*buf)[:0], 64<<10)[:64<<10]
	*buf = b
	for n > 0 {
		got, err := io.ReadFull(f, b[:min(n, int64(len(b)))])
		for _, x := range b[:got] {
			if x != 0 {
				return false, nil
			}
		}
		n -= int64(got)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return n == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
