package core

import (
	"context"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/upkeep"
	"hiddenbackup/core/vault"
)

// ShareCare makes a caretaker's file. The vault gets a care list if it has none
// yet; backups keep it up to date from then on. The name is for the caretaker's
// eyes. With a person named, a receipt notes that she was given it.
func (g *Grid) ShareCare(ctx context.Context, c Config, name, person string) (*manifest.Caretaker, error) {
	if g.access.owner == nil {
		return nil, ErrReadOnly
	}
	key := g.access.keys.CareKey()
	secret, err := manifest.SecretFromBytes(key[:])
	if err != nil {
		return nil, err
	}
	file, err := g.access.owner.Caretaker(name, secret)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(c, g.access)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := g.WaitToWrite(ctx); err != nil {
		return nil, err
	}
	if err := g.notRolledBack(ctx); err != nil {
		return nil, err
	}
	if err := g.vault.Hold(ctx, false, func(ctx context.Context, w *vault.Writer) error {
		return w.StartCare(ctx)
	}); err != nil {
		return nil, err
	}
	if person != "" {
		err = g.vault.Amend(ctx, false, func(c *vault.Config) error {
			return c.Proofs.SetReceipt(vault.Receipt{Role: vault.RoleCaretaker, Name: person, Generation: file.Generation})
		})
	}
	return file, err
}

// Custody is a connected grid in a caretaker's hands. The caller closes it.
type Custody struct {
	connection
	file *manifest.Caretaker
}

// ConnectCaretaker is Connect for a caretaker's file.
func ConnectCaretaker(ctx context.Context, c Config, file *manifest.Caretaker, t *progress.Tracker) (*Custody, error) {
	config, err := gatewayConfig(c, file.Grid)
	if err != nil {
		return nil, err
	}
	key := snapshot.CareKey(file.CareKey.Bytes())
	config.LeaseSecret = [32]byte(file.LeaseSecret.Bytes())
	config.Convergence = key.Identity("caretaker convergence") // nothing is uploaded
	id, err := gatewayID(config, file.Grid, key.Identity)
	if err != nil {
		return nil, err
	}
	k := &Custody{file: file}
	k.connection, err = connect(ctx, c, file.Grid, config, id, t)
	return k, err
}

// CareReport is the outcome of Care.
type CareReport struct {
	upkeep.Report
	// List says why the list of packs could not be read: they were not looked
	// after.
	List error
}

// Err is what CheckReport.Err is, or why the list could not be read.
func (r *CareReport) Err() error {
	if err := lossOf(r.Report, 0); err != nil {
		return err
	}
	return r.List
}

// Care checks everything, repairs what Tahoe can and renews all leases; with
// verify it fetches every share, too.
func (k *Custody) Care(ctx context.Context, verify bool, t *progress.Tracker) (CareReport, error) {
	if err := k.WaitToRead(ctx); err != nil {
		return CareReport{}, err
	}
	objects, list := vault.CareObjects(ctx, k.client, k.file.Vault, snapshot.CareKey(k.file.CareKey.Bytes()))
	if ctx.Err() != nil {
		return CareReport{}, context.Cause(ctx)
	}
	if len(objects) == 0 {
		return CareReport{}, list // not even the directory
	}
	round, err := upkeep.Round(ctx, k.client, objects, upkeep.Options{Verify: verify, Repair: true, Renew: true}, t)
	t.SetPhase(progress.PhaseDone)
	return CareReport{Report: round, List: list}, err
}
