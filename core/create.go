package core

import (
	"context"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// Pin returns the manifest's next generation, pinned to a finished backup.
func (g *Grid) Pin(r backup.Report) (*manifest.Manifest, error) { return g.access.Pin(r) }

// Pin is Grid.Pin where there is no grid any more.
func (a *Access) Pin(r backup.Report) (*manifest.Manifest, error) {
	return a.next(func(m *manifest.Manifest) {
		m.Pin = &manifest.Pin{Snapshot: r.Snapshot, Sequence: r.Info.Sequence}
	})
}

// WithFolders returns the manifest's next generation, which backs these folders
// up. Older generations restore what was backed up all the same.
func (a *Access) WithFolders(folders []manifest.Folder) (*manifest.Manifest, error) {
	return a.next(func(m *manifest.Manifest) { m.Folders = folders })
}

func (a *Access) next(change func(*manifest.Manifest)) (*manifest.Manifest, error) {
	if a.owner == nil {
		return nil, ErrReadOnly
	}
	m := *a.owner
	change(&m)
	m.NextGeneration()
	return &m, m.Validate()
}

// Draft is a manifest before it has a vault.
type Draft struct {
	Name    string
	Grid    manifest.Grid
	Folders []manifest.Folder
	Filters Filters // what the vault remembers to leave out
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
	if _, err := parseRules(d.Filters.Rules); err != nil {
		return nil, err
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
	if m.Vault, err = vault.Create(ctx, g.client, keys, vault.Options{Needed: m.Grid.Needed, Happy: m.Grid.Happy, Total: m.Grid.Total}, vault.Config{Filters: vault.Filters(d.Filters)}); err != nil {
		return nil, err
	}
	return m, m.Validate()
}
