package restore

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/localfs"
)

// unfinished is the name of a file that stands beside the restored folders
// until a run is complete. A run that finds it continues: folders that are
// there are its own and get their metadata at the end.
const unfinished = ".hidden-backup-unfinished"

func (r *run) begin() error {
	for _, tree := range r.targets.trees {
		_, err := tree.Lstat([]byte(unfinished), false)
		if err == nil {
			r.continued = true
		} else if err := r.mark(tree); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			continue // the folder may be ours where the one around it is not
		} else if err != nil {
			return err
		}
		// The lock ends with the process, the mark with the work.
		f, err := tree.OpenRead([]byte(unfinished))
		if err != nil {
			return err
		}
		r.marks = append(r.marks, f)
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return ErrTargetBusy
		}
		if _, err := tree.SweepStaged(nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) mark(tree *localfs.Tree) error {
	mark, err := tree.Stage([]byte(unfinished))
	if err != nil {
		return err
	}
	return mark.Commit(true)
}

func (r *run) end() error {
	for _, tree := range r.targets.trees {
		err := tree.Remove([]byte(unfinished))
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return err
		}
	}
	return nil
}
