package manifest

import (
	"fmt"
	"time"

	"hiddenbackup/tahoeclient"
)

// Caretaker is the power to keep a backup alive and nothing else: to check, repair and renew
// what the vault directory and the care list name. It has no root secret and no write-cap, so
// it reads sealed bytes only. It does have the lease secret: otherwise its renewals would be
// second leases beside the owner's.
type Caretaker struct {
	Name        string // chosen for the caretaker's eyes; not the backup's
	Generation  uint64 // of the owner's manifest it was made from
	Created     time.Time
	Grid        Grid            // without the owner's words about operators and places
	Vault       tahoeclient.Cap // read-only mutable directory
	CareKey     Secret          // opens the care list
	LeaseSecret Secret
}

// Caretaker returns the part of m a caretaker needs. careKey is derived from the root secret by
// whoever knows the formats of the vault.
func (m *Manifest) Caretaker(name string, careKey Secret) (*Caretaker, error) {
	r, err := m.Reader()
	if err != nil {
		return nil, err
	}
	c := &Caretaker{
		Name: name, Generation: m.Generation, Created: time.Now().UTC().Truncate(time.Second),
		Grid: r.Grid, Vault: r.Vault, CareKey: careKey, LeaseSecret: m.Gateway.LeaseSecret,
	}
	for i := range c.Grid.Servers {
		c.Grid.Servers[i].Operator, c.Grid.Servers[i].Place = "", ""
	}
	return c, c.Validate()
}

// Validate reports the first field that breaks its rule.
func (c *Caretaker) Validate() error {
	if err := validateHead(c.Name, c.Generation, c.Created); err != nil {
		return err
	}
	if err := c.Grid.Validate(); err != nil {
		return err
	}
	if c.CareKey.IsZero() {
		return invalid("the care key is missing")
	}
	if c.LeaseSecret.IsZero() {
		return invalid("the lease secret is missing")
	}
	return readOnlyVault(c.Vault, "a caretaker's file")
}

func (c *Caretaker) plain() document {
	return document{
		Type: plainType, Version: plainVersion, Power: PowerCaretaker,
		Name: c.Name, Generation: c.Generation, Created: c.Created.UTC().Format(time.RFC3339),
		Grid: c.Grid.doc(), Vault: c.Vault.Secret(), CareKey: c.CareKey.Base32(),
		Gateway: &gatewayDoc{LeaseSecret: c.LeaseSecret.Base32()}, Folders: []folderDoc{},
	}
}

// caretaker reads a caretaker's fields and refuses those it must not have.
func (d *document) caretaker() (*Caretaker, error) {
	if d.RootSecret != "" || d.Pin != nil || len(d.Folders) > 0 || d.Gateway == nil || d.Gateway.Convergence != "" {
		return nil, invalid("a caretaker's file has the lease secret, and no root secret, folders, pin or convergence secret")
	}
	c := &Caretaker{Name: d.Name, Generation: d.Generation}
	var err error
	if c.Created, err = d.created(); err != nil {
		return nil, err
	}
	if c.Grid, err = d.Grid.grid(); err != nil {
		return nil, err
	}
	if c.Vault, err = parseCap("vault", d.Vault); err != nil {
		return nil, err
	}
	if c.CareKey, err = parseSecret("care_key", d.CareKey); err != nil {
		return nil, err
	}
	if c.LeaseSecret, err = parseSecret("gateway.lease_secret", d.Gateway.LeaseSecret); err != nil {
		return nil, err
	}
	return c, c.Validate()
}

func readOnlyVault(vault tahoeclient.Cap, whose string) error {
	if !vault.IsDirectory() || !vault.IsMutable() || !vault.CanRead() {
		return invalid("the vault must be a readable directory capability")
	}
	if vault.CanWrite() {
		return invalid("%s must not hold the vault's write capability", whose)
	}
	return nil
}

// NeedCaretaker returns the caretaker's file, or ErrPower for a file of another power.
func (o *Opened) NeedCaretaker() (*Caretaker, error) {
	switch {
	case o.Caretaker != nil:
		return o.Caretaker, nil
	case o.Legacy != nil:
		return nil, errImportFirst
	}
	return nil, fmt.Errorf("%w: this is %s, a caretaker's file is needed", ErrPower, o.Power.file())
}
