package restore

import (
	"context"
	"errors"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// resume takes over what an earlier run left of f. There is no bound on size:
// the name is made from the file's own, so that a leftover costs nothing until
// it is found, and many small files that are fetched twice are as dear as one
// large one.
func (r *run) resume(ctx context.Context, f *file) error {
	staged := f.tree.Resume(f.path)
	if staged == nil {
		return nil
	}
	stands, n, err := standing(ctx, staged, f.entry, &r.buf)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || n == 0 {
		staged.Discard() // of no use: the file starts over
		return nil
	}
	f.staged, f.stands = staged, stands
	r.tracker.Add(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Continued += n
	return nil
}

// errFilled: what is to be a hole holds something else.
var errFilled = errors.New("there is data in the place of a hole")

// standing reports which chunks of e are in an unfinished file, and how many
// bytes those are.
func standing(ctx context.Context, s *localfs.Staged, e *snapshot.Entry, buf *[]byte) (all []bool, n int64, err error) {
	f, err := s.OpenRead()
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	all = make([]bool, len(e.Chunks))
	off := int64(0)
	for i, c := range e.Chunks {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		if all[i], err = stands(f, off, c, buf); err != nil {
			return nil, 0, err
		}
		switch {
		case !c.Hole() && all[i]:
			n += c.Length
		case c.Hole() && !all[i]:
			return nil, 0, errFilled
		}
		off += c.Length
	}
	return all, n, nil
}

// unfinished is how much of e seems to stand in an unfinished file already:
// good enough for how much space is needed.
func (r *run) unfinished(e *snapshot.Entry) int64 {
	if r.targets == nil {
		return 0
	}
	tree, path, _ := r.targets.locate(e.Path)
	return tree.UnfinishedSize(path)
}
