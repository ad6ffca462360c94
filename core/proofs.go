package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// LeaseTime is how long Tahoe's servers note a lease for
// (storage/server.py:DEFAULT_RENEWAL_TIME). Only servers with expiry switched on
// delete anything, and they may have set another time.
const LeaseTime = 31 * 24 * time.Hour

var (
	// ErrWords: the four words are not those of the manifest at hand.
	ErrWords = errors.New("these are not the four words of this manifest")
	// ErrNobody: no receipt of that person.
	ErrNobody = errors.New("nobody of that name is on the list")
	// ErrDate: a date that makes no sense where it stands.
	ErrDate = errors.New("the date cannot be right")
)

// Receipt and its roles are what front ends keep the list of holders in.
type Receipt = vault.Receipt

// The roles of people who keep something.
const (
	RoleHolder    = vault.RoleHolder
	RoleCaretaker = vault.RoleCaretaker
)

// Proofs are the dated facts the vault keeps about itself.
type Proofs struct {
	vault.Proofs
	Newest snapshot.Info // zero: nothing was backed up yet
	// RolledBack: the grid shows a state older than the manifest's pin.
	RolledBack bool
	Form       [32]byte // of the newest snapshot: what was proven of another form does not count
	// Leases is until when every server keeps what the newest snapshot needs,
	// if it deletes nothing with a valid lease.
	Leases time.Time
}

// Proofs reads them from the vault.
func (g *Grid) Proofs(ctx context.Context) (Proofs, error) {
	if err := g.WaitToRead(ctx); err != nil {
		return Proofs{}, err
	}
	s, err := g.readVault(ctx)
	if err != nil {
		return Proofs{}, err
	}
	if s.NoVault != nil {
		return Proofs{}, s.NoVault
	}
	return g.proofs(ctx, s)
}

func (g *Grid) proofs(ctx context.Context, s *Snapshots) (Proofs, error) {
	config, err := g.vault.ReadConfig(ctx, s.dir)
	if err != nil {
		return Proofs{}, err
	}
	p := Proofs{Proofs: config.Proofs, RolledBack: s.RolledBack}
	if n := s.dir.Newest(); n > 0 {
		newest, err := g.load(ctx, s, n)
		if err != nil {
			return p, err
		}
		p.Newest, p.Form = newest.Info, g.vault.Form(s.dir, n)
		// A backup renews everything its snapshot needs. A clock that was ahead
		// makes no lease longer.
		p.Leases = earliest(latest(newest.Time, p.Renewed), now()).Add(LeaseTime)
	}
	return p, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// form names the form that snapshot n has now.
func (g *Grid) form(ctx context.Context, n uint64) ([32]byte, error) {
	s, err := g.readVault(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	return g.vault.Form(s.dir, n), nil
}

// amend changes what the vault remembers, from a command of its own.
func (g *Grid) amend(ctx context.Context, c Config, edit func(*vault.Config) error) error {
	if g.access.owner == nil {
		return ErrReadOnly
	}
	unlock, err := lock(c, g.access)
	if err != nil {
		return err
	}
	defer unlock()
	if err := g.WaitToWrite(ctx); err != nil {
		return err
	}
	if err := g.notRolledBack(ctx); err != nil {
		return err
	}
	return g.vault.Amend(ctx, false, edit)
}

// notRolledBack is ErrRolledBack where the grid shows a state older than the pin:
// to write then would bury the newer one.
func (g *Grid) notRolledBack(ctx context.Context) error {
	s, err := g.readVault(ctx)
	if err != nil {
		return err
	}
	if s.RolledBack {
		return ErrRolledBack
	}
	return nil
}

// RecordRecall notes that the passphrase was just typed from memory.
func (g *Grid) RecordRecall(ctx context.Context, c Config) error {
	return g.amend(ctx, c, func(c *vault.Config) error {
		c.Proofs.Recalled = now()
		return nil
	})
}

// Confirm notes that a holder, or a caretaker, has confirmed on that day to have
// the manifest whose sealed form is given. Words are what she read out, four
// words; a caretaker has none.
func (g *Grid) Confirm(ctx context.Context, c Config, r vault.Receipt, sealed []byte, words string) error {
	if r.Confirmed.After(time.Now().Add(24*time.Hour)) || r.Confirmed.Year() < 2000 {
		return fmt.Errorf("%w: %s", ErrDate, r.Confirmed.Format(time.DateOnly))
	}
	if g.access.owner == nil {
		return ErrReadOnly
	}
	if r.Role == vault.RoleHolder {
		own, err := manifest.Words(sealed)
		if err != nil {
			return err
		}
		if !manifest.SameWords(words, own) {
			return ErrWords
		}
	}
	r.Generation = g.access.owner.Generation
	return g.amend(ctx, c, func(c *vault.Config) error { return c.Proofs.SetReceipt(r) })
}

// DropHolder forgets a person.
func (g *Grid) DropHolder(ctx context.Context, c Config, role vault.Role, name string) error {
	return g.amend(ctx, c, func(c *vault.Config) error {
		if !c.Proofs.DropReceipt(role, name) {
			return ErrNobody
		}
		return nil
	})
}
