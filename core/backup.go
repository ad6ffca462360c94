package core

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
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
		if err := g.vault.Remember(ctx, p.BreakMark, vault.Filters(*p.Filters)); err != nil {
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
	return setFilters(o, Filters(remembered.Filters))
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
