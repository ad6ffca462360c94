package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// Filters say what to leave out. The zero value leaves out nothing.
type Filters struct {
	// Rules are rsync-like filter rules, "+ PATTERN" or "- PATTERN", in order.
	Rules []string
	// FolderRules come before Rules for the folder of that name.
	FolderRules   map[string][]string
	OneFileSystem bool
	SkipCacheDirs bool
	MaxSize       int64 // bytes; 0 leaves out nothing
}

// BackupPlan says what to back up and how. The zero value backs up the
// manifest's folders with the filters the vault remembers.
type BackupPlan struct {
	// Folders replace the manifest's, for this snapshot.
	Folders []manifest.Folder
	// Filters replace the remembered ones; nil takes those.
	Filters *Filters
	// Remember makes Filters the remembered ones.
	Remember  bool
	ReadAll   bool // do not trust sizes and times
	Stored    bool // no compression
	BreakMark bool // take over from a run that seems alive
	Uploads   int  // packs in flight; 0 is the default
}

var (
	// ErrFolder: a folder to back up is missing or is no folder.
	ErrFolder = errors.New("a folder to back up cannot be read")
	// ErrFilters: the filters the vault remembers cannot be read.
	ErrFilters = errors.New("the remembered filters cannot be read")
	// ErrRule: a filter rule that means nothing.
	ErrRule = errors.New("a filter rule is not valid")
)

// Backup makes a snapshot. See backup.Run for what its success means.
func (g *Grid) Backup(ctx context.Context, c Config, p BackupPlan, t *progress.Tracker) (backup.Report, error) {
	o, err := g.backupOptions(p)
	if err != nil {
		return backup.Report{}, err
	}
	unlock, err := lock(c, g.access)
	if err != nil {
		return backup.Report{}, err
	}
	defer unlock()
	if err := g.WaitToWrite(ctx); err != nil {
		return backup.Report{}, err
	}
	if err := g.filter(ctx, &o, p); err != nil {
		return backup.Report{}, err
	}
	if p.Remember && p.Filters != nil {
		w, _, err := g.vault.Claim(ctx, p.BreakMark)
		if err != nil {
			return backup.Report{}, err
		}
		if err := w.SetConfig(ctx, vault.Config(*p.Filters)); err != nil {
			return backup.Report{}, err
		}
	}
	return backup.Run(ctx, g.vault, o, t)
}

// EstimateBackup says what Backup would do and changes nothing.
func (g *Grid) EstimateBackup(ctx context.Context, p BackupPlan) (backup.Estimate, error) {
	o, err := g.backupOptions(p)
	if err != nil {
		return backup.Estimate{}, err
	}
	if err := g.WaitToRead(ctx); err != nil {
		return backup.Estimate{}, err
	}
	if err := g.filter(ctx, &o, p); err != nil {
		return backup.Estimate{}, err
	}
	return backup.DryRun(ctx, g.vault, o)
}

// backupOptions is all of the plan but the filters, which may be on the grid.
func (g *Grid) backupOptions(p BackupPlan) (backup.Options, error) {
	o := backup.Options{ReadAll: p.ReadAll, Stored: p.Stored, BreakMark: p.BreakMark, Uploads: p.Uploads}
	if g.access.owner == nil {
		return o, ErrReadOnly
	}
	if pin := g.access.owner.Pin; pin != nil {
		o.Pin = backup.Pin{Snapshot: pin.Snapshot, Sequence: pin.Sequence}
	}
	folders := p.Folders
	if len(folders) == 0 {
		folders = g.access.owner.Folders
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	for _, f := range folders {
		root := f.Resolve(home)
		if err := readable(root); err != nil {
			return o, fmt.Errorf("%w: %w", ErrFolder, err)
		}
		o.Folders = append(o.Folders, backup.Folder{
			Folder: snapshot.Folder{Name: f.Name, Path: f.Path, Tier: uint8(f.Priority())},
			Root:   root,
		})
	}
	if p.Filters != nil {
		return o, setFilters(&o, *p.Filters) // wrong ones are said before anything is started
	}
	return o, nil
}

// separate leaves a folder that lies inside another one out of the outer one:
// it is stored once, under its own name and tier.
func separate(folders []backup.Folder) error {
	for i := range folders {
		for j := range folders {
			rest, inside := strings.CutPrefix(resolved(folders[j].Root), strings.TrimSuffix(resolved(folders[i].Root), "/")+"/")
			if i == j || !inside {
				continue
			}
			rule, err := localfs.Exclude("/" + globs.Replace(rest))
			if err != nil {
				return fmt.Errorf("%w: %w", ErrRule, err)
			}
			folders[i].Rules = append([]localfs.Rule{rule}, folders[i].Rules...)
		}
	}
	return nil
}

// globs makes a path a pattern that matches nothing else.
var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// filter adds the vault's filters to o unless the plan has its own.
func (g *Grid) filter(ctx context.Context, o *backup.Options, p BackupPlan) error {
	if p.Filters != nil {
		return nil
	}
	d, err := g.vault.Read(ctx)
	if err != nil {
		return err
	}
	remembered, err := g.vault.ReadConfig(ctx, d)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFilters, err)
	}
	for name := range remembered.FolderRules {
		if !slices.ContainsFunc(o.Folders, func(f backup.Folder) bool { return f.Name == name }) {
			delete(remembered.FolderRules, name) // that folder is not in this backup
		}
	}
	return setFilters(o, Filters(remembered))
}

func setFilters(o *backup.Options, f Filters) error {
	o.OneFileSystem, o.SkipCacheDirs, o.MaxSize = f.OneFileSystem, f.SkipCacheDirs, f.MaxSize
	var err error
	if o.Rules, err = parseRules(f.Rules); err != nil {
		return err
	}
	for name, lines := range f.FolderRules {
		i := slices.IndexFunc(o.Folders, func(f backup.Folder) bool { return f.Name == name })
		if i < 0 {
			return fmt.Errorf("%w: no folder is named %q", ErrRule, name)
		}
		if o.Folders[i].Rules, err = parseRules(lines); err != nil {
			return err
		}
	}
	return separate(o.Folders)
}

// readable says early, before anything is started, that a folder is missing or
// closed: a snapshot without it would look complete.
func readable(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return fmt.Errorf("%q is neither a folder nor a file", root)
	}
	f, err := os.Open(root)
	if err != nil {
		return err
	}
	return f.Close()
}

func parseRules(lines []string) ([]localfs.Rule, error) {
	var rules []localfs.Rule
	for _, line := range lines {
		r, err := localfs.ParseRule(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRule, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

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

	dir *vault.Directory
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
		s.RolledBack = dir.Newest() < pin.Sequence
		dir.Snapshots[pin.Sequence] = pin.Snapshot
	}
	return s, nil
}

// Chosen is a snapshot picked for reading, and what there is to know about
// the choice.
type Chosen struct {
	*snapshot.Snapshot
	RolledBack bool  // see Snapshots
	NoVault    error // see Snapshots
	// Passed are newer snapshots that could not be read.
	Passed []error
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
		c, ok := s.dir.Snapshots[n]
		if !ok {
			return nil, fmt.Errorf("%w: %d", vault.ErrNoSnapshot, n)
		}
		chosen.Snapshot, err = g.vault.Load(ctx, c, n)
		return chosen, err
	}
	for _, n := range s.dir.Numbers() {
		if chosen.Snapshot, err = g.vault.Load(ctx, s.dir.Snapshots[n], n); err == nil {
			chosen.Missing = g.missing(chosen.Snapshot)
			return chosen, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		chosen.Passed = append(chosen.Passed, err)
	}
	if len(chosen.Passed) > 0 {
		return nil, chosen.Passed[0]
	}
	return nil, fmt.Errorf("%w: the vault is empty", vault.ErrNoSnapshot)
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
	return restore.Compare(ctx, g.vault, s, o, os.Geteuid() == 0, t)
}

// Pin returns the manifest's next generation, pinned to a finished backup.
func (g *Grid) Pin(r backup.Report) (*manifest.Manifest, error) {
	if g.access.owner == nil {
		return nil, ErrReadOnly
	}
	m := *g.access.owner
	m.Pin = &manifest.Pin{Snapshot: r.Snapshot, Sequence: r.Info.Sequence}
	m.NextGeneration()
	return &m, m.Validate()
}

// Draft is a manifest before it has a vault.
type Draft struct {
	Name    string
	Grid    manifest.Grid
	Folders []manifest.Folder
}

// CreateManifest makes the vault directory on the grid and returns the
// manifest that leads to it. It starts a gateway of its own and stops it.
func CreateManifest(ctx context.Context, c Config, d Draft, t *progress.Tracker) (*manifest.Manifest, error) {
	m := &manifest.Manifest{Name: d.Name, Grid: d.Grid, Folders: d.Folders, Created: time.Now()}
	m.NextGeneration()
	for _, s := range []*manifest.Secret{&m.RootSecret, &m.Gateway.LeaseSecret, &m.Gateway.Convergence} {
		var err error
		if *s, err = manifest.NewSecret(nil); err != nil {
			return nil, err
		}
	}
	if err := d.Grid.Validate(); err != nil {
		return nil, err
	}
	for _, f := range d.Folders {
		if err := f.Validate(); err != nil {
			return nil, err
		}
	}
	keys, err := snapshot.NewKeys([32]byte(m.RootSecret.Bytes()))
	if err != nil {
		return nil, err
	}
	a := &Access{owner: m, keys: keys, reader: &manifest.Reader{Grid: m.Grid}}
	g, err := Connect(ctx, c, a, t)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if err := g.WaitToWrite(ctx); err != nil {
		return nil, err
	}
	if m.Vault, err = vault.Create(ctx, g.client, keys, vault.Options{Needed: m.Grid.Needed, Happy: m.Grid.Happy, Total: m.Grid.Total}, vault.Config{}); err != nil {
		return nil, err
	}
	return m, m.Validate()
}
