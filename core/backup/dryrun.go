package backup

import (
	"context"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// Estimate is what a run would do, as far as it can be known without reading
// files.
type Estimate struct {
	Entries, Files          uint64
	Bytes                   int64
	New, Changed, Unchanged uint64 // files
	// ToRead is the size of the new and changed files: what is sent is at
	// most that, less what compression and known content save.
	ToRead   int64
	Problems []Problem
	LeftOut  map[localfs.ExcludeReason]uint64
	Parent   uint64
}

// DryRun walks the folders and compares them with the newest snapshot. It
// changes nothing, on disk or on the grid.
func DryRun(ctx context.Context, v *vault.Vault, o Options) (Estimate, error) {
	est := Estimate{LeftOut: make(map[localfs.ExcludeReason]uint64)}
	if len(o.Folders) == 0 {
		return est, ErrNoFolders
	}
	o = o.sorted()
	d, err := v.Read(ctx)
	if err != nil {
		return est, err
	}
	r := &run{v: v, o: o, report: &Report{}}
	if err := r.findParent(ctx, d); err != nil {
		return est, err
	}
	parent, err := openParent(ctx, v, r.parent, nil)
	if err != nil {
		return est, err
	}
	defer parent.close()
	if r.parent != nil {
		est.Parent = r.parent.Sequence
	}
	names := make(links)
	err = walkAll(ctx, o, func(_ int, it *localfs.Item) error {
		e := it.Entry
		switch {
		case it.Excluded != "":
			est.LeftOut[it.Excluded]++
			return nil
		case it.Err != nil:
			est.Problems = append(est.Problems, Problem{Path: string(e.Path), Err: it.Err})
			return nil
		}
		est.Entries++
		if e.Type != snapshot.TypeFile || names.first(it) != nil {
			return nil
		}
		est.Files++
		est.Bytes += e.Size
		old := parent.find(e.Path)
		switch {
		case old == nil:
			est.New++
			est.ToRead += e.Size
		case o.ReadAll || !parent.unchanged(old, e):
			est.Changed++
			est.ToRead += e.Size
		default:
			est.Unchanged++
		}
		return nil
	})
	return est, err
}

// count says how much there is, and how many bytes of it are in each folder.
func count(ctx context.Context, o Options) (entries, files int64, bytes []int64, err error) {
	names := make(links)
	bytes = make([]int64, len(o.Folders))
	err = walkAll(ctx, o, func(folder int, it *localfs.Item) error {
		if it.Excluded == "" && it.Err == nil {
			entries++
			if it.Entry.Type == snapshot.TypeFile && names.first(it) == nil {
				files++
				bytes[folder] += it.Entry.Size
			}
		}
		return nil
	})
	return entries, files, bytes, err
}

// walkAll walks all folders in listing order and keeps no item.
func walkAll(ctx context.Context, o Options, visit func(folder int, it *localfs.Item) error) error {
	for i, f := range o.Folders {
		err := localfs.Walk(ctx, f.Name, f.Root, o.Walk(f), func(it *localfs.Item) error {
			defer it.Release()
			return visit(i, it)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Walk is how a folder is walked: its rules stand before those for all.
func (o Options) Walk(f Folder) localfs.WalkOptions {
	return localfs.WalkOptions{
		Rules:         append(append([]localfs.Rule(nil), f.Rules...), o.Rules...),
		OneFileSystem: o.OneFileSystem, SkipCacheDirs: o.SkipCacheDirs, MaxSize: o.MaxSize,
	}
}
