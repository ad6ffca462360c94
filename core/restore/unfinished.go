package restore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/localfs"
)

// unfinished is the name of a file that stands beside the restored folders
// until a run is complete. A run that finds it continues: folders that are
// there are its own and get their metadata at the end. One that restores only
// a part of the snapshot leaves the mark, and what is unfinished, to the next
// that restores all of it: what the run before was to restore it cannot know.
const unfinished = ".hidden-backup-unfinished"

func (r *run) begin() error {
	r.continued = make(map[*localfs.Tree]bool)
	for _, tree := range r.targets.trees {
		_, err := tree.Lstat([]byte(unfinished), false)
		if err == nil {
			r.continued[tree] = true
		} else if err := r.mark(tree); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			// The folder may be ours where the one around it is not.
			if err := r.lockFolders(tree); err != nil {
				return err
			}
			continue
		} else if err != nil {
			return err
		}
		if err := r.lockMark(tree); err != nil {
			return err
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
	err = mark.Commit(false)
	if errors.Is(err, localfs.ErrExists) { // by a run that started in this moment
		return mark.Discard()
	}
	return err
}

// lockMark keeps a second run away: each would continue the files that the
// other is writing. The lock ends with the process, the mark with the work.
func (r *run) lockMark(tree *localfs.Tree) error {
	f, err := tree.OpenRead([]byte(unfinished))
	if err != nil {
		return err
	}
	if err := r.lock(f); err != nil {
		return err
	}
	locked, err := localfs.FreshEntry(f, []byte(unfinished))
	if err != nil {
		return err
	}
	// A run that ended meanwhile has taken the mark with it.
	now, err := tree.Lstat([]byte(unfinished), false)
	if err != nil || now.Inode != locked.Inode {
		return ErrTargetBusy
	}
	return nil
}

// lockFolders is lockMark where there can be no mark.
func (r *run) lockFolders(tree *localfs.Tree) error {
	for _, to := range r.targets.byFolder {
		if to.tree != tree {
			continue
		}
		fd, err := unix.Open(to.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // what is no folder cannot be written to either
		}
		if err := r.lock(os.NewFile(uintptr(fd), to.path)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) lock(f *os.File) error {
	r.marks = append(r.marks, f)
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return ErrTargetBusy
	}
	return nil
}

// ends reports whether nothing is unfinished in a tree once this run is complete.
func (r *run) ends(tree *localfs.Tree) bool {
	return !r.continued[tree] || len(r.o.Select) == 0 && r.o.Tier == 0
}

func (r *run) end() error {
	for _, tree := range r.targets.trees {
		if !r.ends(tree) {
			continue
		}
		err := tree.Remove([]byte(unfinished))
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return err
		}
	}
	return nil
}
