package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// entry handles one wanted entry. It returns a file whose content is to be
// fetched, or nil. Its error ends the run.
func (r *run) entry(ctx context.Context, e *snapshot.Entry) (*file, error) {
	if r.blocked != nil && below(e.Path, r.blocked) {
		return nil, r.entryError(e, r.why)
	}
	tree, path, _ := r.targets.locate(e.Path)
	if e.Type == snapshot.TypeHardlink {
		alias, ok := r.aliases[string(e.Target)]
		if !ok || !bytes.Equal(alias.Path, e.Target) {
			if ok {
				e.Target = alias.Path
			}
			r.links = append(r.links, e)
			return nil, nil
		}
		// The first name of the file is not selected: this one takes its
		// place, for further names too.
		first := *alias
		first.Path = e.Path
		r.aliases[string(e.Target)] = &first
		e = &first
	}
	var err error
	switch e.Type {
	case snapshot.TypeDir:
		err = r.folder(tree, path, e)
	case snapshot.TypeFile:
		f, err := r.file(ctx, tree, path, e)
		if f == nil || err != nil {
			return nil, err
		}
		return f, r.resume(ctx, f)
	default:
		err = r.special(tree, path, e)
	}
	return nil, r.entryError(e, err)
}

// entryError turns what only concerns e into a Problem.
func (r *run) entryError(e *snapshot.Entry, err error) error {
	var meta *localfs.MetaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &meta):
		r.mu.Lock()
		r.report.warn(e.Path, err)
		r.mu.Unlock()
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return err
	case errors.Is(err, localfs.ErrInTheWay):
		err = ErrInTheWay
	case errors.Is(err, localfs.ErrExists):
		err = ErrDifferent
	}
	r.problem(e, err)
	return nil
}

func (r *run) folder(tree *localfs.Tree, path []byte, e *snapshot.Entry) error {
	there, _ := tree.Lstat(path, true)
	created, err := tree.Mkdir(path, 0o700)
	if err != nil {
		r.blocked, r.why = e.Path, err
		return err
	}
	switch {
	case created || len(r.continued) > 0 || r.targets.fresh[string(e.Path)] || r.o.Overwrite != OverwriteNever:
		r.folders = append(r.folders, e)
	case there != nil && there.Mode&0o700 != 0o700:
		// Mkdir opened it up for us; it gets back what it had.
		there.Path = e.Path
		r.folders = append(r.folders, there)
	}
	if !created {
		if _, err := tree.SweepStaged(path); err != nil {
			return err
		}
	}
	r.counted(e, func(rep *Report) { rep.Folders++ })
	return nil
}

// file decides what happens to a file that may be there already.
func (r *run) file(ctx context.Context, tree *localfs.Tree, path []byte, e *snapshot.Entry) (*file, error) {
	f := &file{entry: e, tree: tree, path: path}
	there, err := tree.Lstat(path, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		r.lose(e)
		return nil, r.entryError(e, err)
	case there.Type == snapshot.TypeDir:
		r.lose(e)
		return nil, r.entryError(e, localfs.ErrInTheWay)
	}
	f.replace = true
	if r.o.Overwrite == OverwriteAlways {
		return f, nil
	}
	same := false
	if there.Type == snapshot.TypeFile && there.Size == e.Size {
		if same, err = sameContent(ctx, tree, path, e, &r.buf); ctx.Err() != nil {
			return nil, context.Cause(ctx)
		} else if err != nil {
			r.lose(e)
			return nil, r.entryError(e, err)
		}
	}
	switch {
	case same:
		r.tracker.Add(e.Size)
		r.counted(e, func(rep *Report) {
			rep.Present++
			rep.PresentBytes += e.Size
		})
		if r.o.Overwrite == OverwriteChanged {
			return nil, r.entryError(e, tree.SetMeta(path, e, r.meta()))
		}
		return nil, nil
	case r.o.Overwrite == OverwriteNever:
		r.lose(e)
		return nil, r.entryError(e, ErrDifferent)
	}
	return f, nil
}

// special makes what has no content: links, pipes, devices.
func (r *run) special(tree *localfs.Tree, path []byte, e *snapshot.Entry) error {
	there, err := tree.Lstat(path, false)
	exists := err == nil
	if exists && there.Type == e.Type && slices.Equal(there.Target, e.Target) && there.Device == e.Device {
		r.counted(e, func(rep *Report) { rep.Present++ })
		return nil
	}
	if exists && r.o.Overwrite == OverwriteNever {
		return ErrDifferent
	}
	put := tree.PutSpecial
	if e.Type == snapshot.TypeSymlink {
		put = tree.PutSymlink
	}
	if err := put(path, e, exists, r.meta()); err != nil {
		var meta *localfs.MetaError
		if !errors.As(err, &meta) {
			return err
		}
		r.entryError(e, err)
	}
	r.counted(e, func(rep *Report) {
		if e.Type == snapshot.TypeSymlink {
			rep.Links++
		} else {
			rep.Others++
		}
	})
	return nil
}

func (r *run) hardlink(e *snapshot.Entry) error {
	if r.lost[string(e.Target)] {
		return ErrLinkGone
	}
	tree, path, _ := r.targets.locate(e.Path)
	toTree, to, ok := r.targets.locate(e.Target)
	if !ok || toTree != tree {
		return fmt.Errorf("%w: it is in another folder", ErrLinkGone)
	}
	target, err := tree.Lstat(to, false)
	if err != nil {
		return ErrLinkGone
	}
	there, err := tree.Lstat(path, false)
	exists := err == nil
	if exists && there.Inode == target.Inode {
		r.counted(e, func(rep *Report) { rep.Present++ })
		return nil
	}
	if exists && r.o.Overwrite == OverwriteNever {
		return ErrDifferent
	}
	if err := tree.PutHardlink(path, to, exists); err != nil {
		return err
	}
	r.counted(e, func(rep *Report) { rep.Links++ })
	return nil
}

func (r *run) meta() localfs.MetaOptions {
	o := localfs.MetaOptions{Xattrs: true, KeepSetID: r.o.KeepSetID}
	if os.Geteuid() == 0 {
		o.Owner = localfs.OwnerNames
	}
	return o
}

// below reports whether path lies under the folder.
func below(path, folder []byte) bool {
	return len(path) > len(folder) && path[len(folder)] == '/' && string(path[:len(folder)]) == string(folder)
}
