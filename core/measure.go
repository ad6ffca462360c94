package core

import (
	"context"
	"errors"
	"fmt"
	"os"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
)

// Measure counts what a backup of these folders would hold, before there is a
// grid: the files of folder i and their bytes in counts[i], what cannot be read
// as its problems. A folder inside another one counts for itself. The error
// says which folders cannot be read at all.
func Measure(ctx context.Context, folders []manifest.Folder, f Filters, counts []*progress.Tracker) error {
	o := backup.Options{}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	for _, folder := range folders {
		o.Folders = append(o.Folders, backup.Folder{Folder: snapshot.Folder{Name: folder.Name}, Root: folder.Resolve(home)})
	}
	if err := setFilters(&o, f); err != nil {
		return err
	}
	var failed []error
	for i, folder := range o.Folders {
		if err := measure(ctx, folder, o, counts[i]); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			counts[i].Problem()
			failed = append(failed, fmt.Errorf("%w: %w", ErrFolder, err))
		}
	}
	return errors.Join(failed...)
}

func measure(ctx context.Context, folder backup.Folder, o backup.Options, t *progress.Tracker) error {
	type file struct{ dev, inode uint64 }
	met := make(map[file]bool) // files of several names
	return localfs.Walk(ctx, folder.Name, folder.Root, o.Walk(folder), func(it *localfs.Item) error {
		defer it.Release()
		switch e := it.Entry; {
		case it.Excluded != "":
		case it.Err != nil:
			t.Problem()
		case e.Type == snapshot.TypeFile:
			if e.Links > 1 {
				id := file{it.Dev, e.Inode}
				if met[id] {
					return nil
				}
				met[id] = true
			}
			t.Entry(string(e.Path))
			t.Add(e.Size)
		}
		return nil
	})
}
