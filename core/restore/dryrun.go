package restore

import (
	"context"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// Estimate is what a restore would write if nothing were there yet.
type Estimate struct {
	Entries, Files uint64
	Bytes          int64 // of file content, holes included
	ToWrite        int64 // without holes
	ToFetch        int64 // bytes to fetch from the grid at most, listing not counted
	Info           snapshot.Info

	need map[string]int64 // ToWrite by folder, without what seems to be there
}

// DryRun reads the listing and says what Run would do. It looks at nothing on
// disk and changes nothing.
func DryRun(ctx context.Context, v *vault.Vault, s *snapshot.Snapshot, o Options) (Estimate, error) {
	r := &run{v: v, s: s, o: o, selection: newSelection(o.Select)}
	est, err := r.estimate(ctx)
	if err == nil {
		err = r.selection.missing()
	}
	return est, err
}

func (r *run) estimate(ctx context.Context) (Estimate, error) {
	est := Estimate{Info: r.s.Info, need: make(map[string]int64)}
	err := r.each(ctx, func(e *snapshot.Entry) error {
		est.Entries++
		if e.Type != snapshot.TypeFile {
			return nil
		}
		est.Files++
		est.Bytes += e.Size
		before := est.ToWrite
		for _, c := range e.Chunks {
			if c.Hole() {
				continue
			}
			est.ToWrite += c.Length
			est.ToFetch += int64(c.Sealed)
		}
		if !r.seemsThere(e) {
			est.need[e.Folder()] += max(0, est.ToWrite-before-r.unfinished(e))
		}
		return nil
	})
	return est, err
}

// seemsThere reports whether a file of e's size stands in its place: good
// enough for how much space is needed.
func (r *run) seemsThere(e *snapshot.Entry) bool {
	if r.targets == nil {
		return false
	}
	tree, path, _ := r.targets.locate(e.Path)
	there, err := tree.Lstat(path, false)
	return err == nil && there.Type == e.Type && there.Size == e.Size
}
