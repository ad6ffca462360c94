package restore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// sameContent reports whether the file at path holds exactly what e's chunks
// say. It reads the file and fetches nothing.
func sameContent(ctx context.Context, tree *localfs.Tree, path []byte, e *snapshot.Entry, buf *[]byte) (bool, error) {
	f, err := tree.OpenRead(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, localfs.ErrInTheWay) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	off := int64(0)
	for _, c := range e.Chunks {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if stands, err := stands(f, off, c, buf); !stands || err != nil {
			return false, err
		}
		off += c.Length
	}
	info, err := f.Stat()
	return err == nil && info.Size() == e.Size, err
}

// stands reports whether f holds at off what c says. A hole stands also beyond
// the end of f.
func stands(f *os.File, off int64, c snapshot.ChunkRef, buf *[]byte) (bool, error) {
	if c.Hole() {
		return localfs.Zero(f, off, c.Length)
	}
	b := slices.Grow((*buf)[:0], int(c.Length))[:c.Length]
	*buf = b
	if _, err := f.ReadAt(b, off); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	return snapshot.IDOf(b) == c.ID, nil
}
