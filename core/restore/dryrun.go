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
	est := Estimate{Info: r.s.Info}
	err := r.each(ctx, func(e *snapshot.Entry) error {
		est.Entries++
		if e.Type != snapshot.TypeFile {
			return nil
		}
		est.Files++
		est.Bytes += e.Size
		for _, c := range e.Chunks {
			if c.Hole() {
				continue
			}
			est.ToWrite += c.Length
			est.ToFetch += int64(c.Sealed)
		}
		return nil
	})
	return est, err
}
