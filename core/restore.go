package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// Snapshots are the snapshots of a vault.
type Snapshots struct {
	Infos []snapshot.Info // newest first
	// Broken are snapshots that are linked and cannot be read.
	Broken map[uint64]error
	// Pinned is the sequence number of the manifest's pin; 0 for none.
	Pinned uint64
	// RolledBack: the grid shows nothing as new as the pin. Somebody hides the
	// newer state, or the servers that have it are away.
	RolledBack bool
	// NoVault says why the vault directory could not be read; the pinned
	// snapshot is all there is then.
	NoVault error

	dir    *vault.Directory
	pinned vault.Link
}

// Snapshots lists what the vault holds, the pinned snapshot included.
func (g *Grid) Snapshots(ctx context.Context) (*Snapshots, error) {
	if err := g.WaitToRead(ctx); err != nil {
		return nil, err
	}
	s, err := g.readVault(ctx)
	if err != nil {
		return nil, err
	}
	s.Infos, s.Broken, err = g.vault.Infos(ctx, s.dir)
	if _, broken := s.Broken[s.Pinned]; broken && err == nil {
		// What the directory says of it is damaged or false; the manifest knows
		// better.
		if pinned, perr := g.vault.Load(ctx, s.pinned.Cap, s.Pinned); perr == nil {
			delete(s.Broken, s.Pinned)
			s.Infos = append(s.Infos, pinned.Info)
			slices.SortFunc(s.Infos, func(a, b snapshot.Info) int { return cmp.Compare(b.Sequence, a.Sequence) })
		}
	}
	return s, err
}

// readVault reads the directory and adds the pin.
func (g *Grid) readVault(ctx context.Context) (*Snapshots, error) {
	s := &Snapshots{}
	pin := g.access.reader.Pin
	dir, err := g.vault.Read(ctx)
	if err != nil {
		if pin == nil || ctx.Err() != nil {
			return nil, err
		}
		s.NoVault, dir = err, vault.Empty()
	}
	s.dir = dir
	if pin != nil {
		s.Pinned = pin.Sequence
		s.pinned = vault.Link{Sequence: pin.Sequence, Cap: pin.Snapshot}
		s.RolledBack = dir.Newest() < pin.Sequence
		if _, known := dir.Snapshots[pin.Sequence]; !known {
			dir.Snapshots[pin.Sequence] = pin.Snapshot
		}
	}
	return s, nil
}

// Chosen is a snapshot picked for reading, and what there is to know about
// the choice.
type Chosen struct {
	*snapshot.Snapshot
	RolledBack bool  // see Snapshots
	NoVault    error // see Snapshots
	// Unreadable are newer snapshots that could not be read.
	Unreadable []error
	// Missing names folders of the manifest that this snapshot does not hold.
	Missing []string
}

func (g *Grid) missing(s *snapshot.Snapshot) (names []string) {
	for _, f := range g.access.reader.Folders {
		if !slices.ContainsFunc(s.Folders, func(h snapshot.Folder) bool { return h.Name == f.Name }) {
			names = append(names, f.Name)
		}
	}
	return names
}

// Choose loads snapshot number n, or the newest that can be read for n = 0.
func (g *Grid) Choose(ctx context.Context, n uint64) (*Chosen, error) {
	if err := g.WaitToRead(ctx); err != nil {
		return nil, err
	}
	s, err := g.readVault(ctx)
	if err != nil {
		return nil, err
	}
	chosen := &Chosen{RolledBack: s.RolledBack, NoVault: s.NoVault}
	if n != 0 {
		if _, ok := s.dir.Snapshots[n]; !ok {
			return nil, fmt.Errorf("%w: %d", vault.ErrNoSnapshot, n)
		}
		if chosen.Snapshot, err = g.load(ctx, s, n); err != nil {
			return nil, err
		}
		chosen.Missing = g.missing(chosen.Snapshot)
		return chosen, nil
	}
	for _, n := range s.dir.Numbers() {
		if chosen.Snapshot, err = g.load(ctx, s, n); err == nil {
			chosen.Missing = g.missing(chosen.Snapshot)
			return chosen, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, tahoeclient.ErrNotAnswering) {
			return nil, err // it would be the same for each older one
		}
		chosen.Unreadable = append(chosen.Unreadable, err)
	}
	if len(chosen.Unreadable) > 0 {
		return nil, chosen.Unreadable[0]
	}
	return nil, fmt.Errorf("%w: the vault is empty", vault.ErrNoSnapshot)
}

// load loads snapshot n. A snapshot that was issued anew since the manifest was
// pinned to it is taken from the directory, if it is the same snapshot: its packs
// are the ones that are looked after.
func (g *Grid) load(ctx context.Context, s *Snapshots, n uint64) (*snapshot.Snapshot, error) {
	found, err := g.vault.Load(ctx, s.dir.Snapshots[n], n)
	if n != s.pinned.Sequence || s.dir.Snapshots[n] == s.pinned.Cap {
		return found, err
	}
	pinned, perr := g.vault.Load(ctx, s.pinned.Cap, n)
	if perr == nil && (err != nil || !pinned.Time.Equal(found.Time) || pinned.Totals != found.Totals) {
		return pinned, nil
	}
	return found, err
}

// Entries calls use for every entry of s in path order.
func (g *Grid) Entries(ctx context.Context, s *snapshot.Snapshot, use func(*snapshot.Entry) error) error {
	return restore.Entries(ctx, g.vault, s, use)
}

// Restore writes files of s as o says. A place inside a folder that is itself
// backed up is refused: the next backup would store the copy too.
func (g *Grid) Restore(ctx context.Context, s *snapshot.Snapshot, o restore.Options, t *progress.Tracker) (restore.Report, error) {
	if err := outsideSources(s, o.Places); err != nil {
		return restore.Report{}, err
	}
	return restore.Run(ctx, g.vault, s, o, t)
}

func outsideSources(s *snapshot.Snapshot, places map[string]string) error {
	originals, err := restore.OriginalPlaces(s)
	if err != nil {
		return nil // nobody's home: nothing to lie inside of
	}
	for _, place := range places {
		for _, original := range originals {
			if strings.HasPrefix(resolved(place), resolved(original)+"/") && !slices.Contains(slices.Collect(maps.Values(originals)), place) {
				return fmt.Errorf("%w: %q is inside %q", restore.ErrInsideSource, place, original)
			}
		}
	}
	return nil
}

// resolved follows the links of as much of a path as exists.
func resolved(path string) string {
	for dir := path; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, strings.TrimPrefix(path, dir))
		}
		if dir == "/" || dir == "." {
			return path
		}
	}
}

// EstimateRestore says what Restore would do and changes nothing.
func (g *Grid) EstimateRestore(ctx context.Context, s *snapshot.Snapshot, o restore.Options) (restore.Estimate, error) {
	return restore.DryRun(ctx, g.vault, s, o)
}

// Compare holds s against the files in o.Places.
func (g *Grid) Compare(ctx context.Context, s *snapshot.Snapshot, o restore.Options, t *progress.Tracker) (restore.Comparison, error) {
	return restore.Compare(ctx, g.vault, s, o, restore.CompareOptions{Owners: os.Geteuid() == 0}, t)
}
