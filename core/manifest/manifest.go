package manifest

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"hiddenbackup/tahoeclient"
)

var (
	// ErrPassphrase names both causes because secretbox cannot tell them apart.
	ErrPassphrase = errors.New("the passphrase is wrong or the file is damaged")
	// ErrNotManifest says that the bytes cannot be a manifest in any form we know.
	ErrNotManifest = errors.New("this is not a Hidden Backup manifest")
	// ErrVersion says that a newer Hidden Backup wrote the manifest.
	ErrVersion = errors.New("this manifest was made by a newer version of Hidden Backup")
	// ErrPower says that the manifest does not give the power that was asked for.
	ErrPower = errors.New("this manifest does not give the power that is needed")
	// ErrNetwork says that an address does not belong to the network the manifest names.
	ErrNetwork = errors.New("an address is not on the network this manifest promises")
	// ErrInvalid says that a field breaks its rule.
	ErrInvalid = errors.New("the manifest is not valid")
	// ErrWeak says that a chosen passphrase could be guessed.
	ErrWeak = errors.New("the passphrase is too easy to guess")
	// ErrExists says that Save would have overwritten a file.
	ErrExists = errors.New("a file of this name exists already")
	// ErrArmour says that an armoured text is damaged; an *ArmourError says where.
	ErrArmour = errors.New("the armoured manifest is damaged")

	errImportFirst = fmt.Errorf("%w: it was made by the first hidden-tahoe-backup and must be imported first", ErrPower)
)

// Bounds of what a manifest may hold. They are far above any real use, and low enough
// that a hostile file costs no memory to speak of.
const (
	maxServers     = 255 // a share number is one byte in Tahoe
	maxIntroducers = 32
	maxFolders     = 1000
	maxLabel       = 128
	maxName        = 255  // NAME_MAX of Linux file systems
	maxPath        = 4096 // PATH_MAX of Linux
)

// Power is what the holder of an opened manifest may do. Each power is a different file.
type Power string

// The powers. No file carries the holder's, which is to keep sealed bytes; the name is reserved
// so that one which does is refused by name and not misread.
const (
	PowerOwner     Power = "owner"
	PowerReader    Power = "reader"
	PowerCaretaker Power = "caretaker"
	PowerHolder    Power = "holder"
)

// file names the file that gives the power.
func (p Power) file() string {
	switch p {
	case PowerOwner:
		return "an owner's manifest"
	case PowerReader:
		return "a reader's manifest"
	case PowerCaretaker:
		return "a caretaker's file"
	}
	return "a file of another kind"
}

// Manifest is the owner's power: everything needed to back up, restore and keep alive.
type Manifest struct {
	Name       string    // shown to people; not unique
	Generation uint64    // from 1; a higher one replaces a lower one
	Created    time.Time // when this generation was made; whole seconds, UTC
	Grid       Grid
	Vault      tahoeclient.Cap // writable mutable directory
	RootSecret Secret          // all seals derive from it
	Gateway    GatewaySecrets
	Folders    []Folder
	Pin        *Pin // nil: nothing was backed up yet when this was sealed
}

// Reader is the power to restore and nothing else: no write-cap, no lease secret.
type Reader struct {
	Name       string
	Generation uint64
	Created    time.Time
	Grid       Grid
	Vault      tahoeclient.Cap // read-only mutable directory
	RootSecret Secret
	Folders    []Folder
	Pin        *Pin
}

// Content is what Seal can seal: *Manifest, *Reader or *Caretaker.
type Content interface {
	// Validate reports the first field that breaks its rule.
	Validate() error
	plain() document
}

// Opened is a manifest of whichever power was inside the file.
type Opened struct {
	Power Power
	// Reader is the read side that restore needs. It is set for an owner's manifest too.
	Reader *Reader
	// Owner is set for an owner's manifest only.
	Owner *Manifest
	// Caretaker is set, and everything else empty, for a caretaker's file.
	Caretaker *Caretaker
	// Legacy is set, and everything else empty, for a file of the first hidden-tahoe-backup.
	Legacy *Legacy
}

// NeedOwner returns the owner's manifest, or ErrPower for a file with less power.
func (o *Opened) NeedOwner() (*Manifest, error) {
	switch {
	case o.Owner != nil:
		return o.Owner, nil
	case o.Legacy != nil:
		return nil, errImportFirst
	}
	return nil, fmt.Errorf("%w: this is %s, an owner's manifest is needed", ErrPower, o.Power.file())
}

// NeedReader returns the read side, or ErrPower for a file that has none.
func (o *Opened) NeedReader() (*Reader, error) {
	switch {
	case o.Reader != nil:
		return o.Reader, nil
	case o.Legacy != nil:
		return nil, errImportFirst
	}
	return nil, fmt.Errorf("%w: this is %s, an owner's or a reader's manifest is needed", ErrPower, o.Power.file())
}

// content is what sealing o again would seal; nil for a legacy file.
func (o *Opened) content() Content {
	switch {
	case o.Owner != nil:
		return o.Owner
	case o.Caretaker != nil:
		return o.Caretaker
	case o.Reader != nil:
		return o.Reader
	}
	return nil
}

// GatewaySecrets are what a gateway node keeps in private/secret and private/convergence.
// With the same lease secret a new machine renews the leases of the old one.
type GatewaySecrets struct {
	LeaseSecret Secret
	Convergence Secret
}

// Folder is one restore target.
type Folder struct {
	// Name is unique, shown to people, and the directory below a restore target: one path element.
	Name string
	// Path is absolute and clean, or "~", or "~/" and a clean path.
	Path string
	// Tier is 1 (first hour), 2 (work) or 3 (rest); zero means 2.
	Tier int
}

// Priority is the tier with its default filled in.
func (f Folder) Priority() int {
	if f.Tier == 0 {
		return 2
	}
	return f.Tier
}

// Resolve returns the folder's absolute path for a person whose home is the absolute path home.
func (f Folder) Resolve(home string) string {
	if f.Path == "~" {
		return path.Clean(home)
	}
	if rest, ok := strings.CutPrefix(f.Path, "~/"); ok {
		return path.Join(home, rest)
	}
	return f.Path
}

// Pin is the newest snapshot at the time of sealing. It restores even if the vault directory
// is lost or rolled back, and an answer of the grid that is older than it is a lie.
type Pin struct {
	Snapshot tahoeclient.Cap // immutable file
	Sequence uint64
}

// NextGeneration makes m the next generation, created now.
func (m *Manifest) NextGeneration() {
	m.Generation++
	m.Created = time.Now().UTC().Truncate(time.Second)
}

// Reader returns the restore-only part of m: the vault's read-cap, and no gateway secret.
func (m *Manifest) Reader() (*Reader, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	vault, err := m.Vault.ReadOnly()
	if err != nil {
		return nil, fmt.Errorf("diminishing the vault capability: %w", err)
	}
	r := &Reader{
		Name: m.Name, Generation: m.Generation, Created: m.Created,
		Grid: m.Grid.clone(), Vault: vault, RootSecret: m.RootSecret,
		Folders: append([]Folder(nil), m.Folders...),
	}
	if m.Pin != nil {
		pin := *m.Pin
		r.Pin = &pin
	}
	return r, nil
}

// Validate reports the first field that breaks its rule.
func (m *Manifest) Validate() error {
	if err := m.readSide().validate(); err != nil {
		return err
	}
	if !m.Vault.IsDirectory() || !m.Vault.IsMutable() || !m.Vault.CanWrite() {
		return invalid("the vault must be a writable directory capability")
	}
	if m.Gateway.LeaseSecret.IsZero() {
		return invalid("the lease secret is missing")
	}
	if m.Gateway.Convergence.IsZero() {
		return invalid("the convergence secret is missing")
	}
	return nil
}

// Validate reports the first field that breaks its rule.
func (r *Reader) Validate() error {
	if err := r.validate(); err != nil {
		return err
	}
	return readOnlyVault(r.Vault, "a reader manifest")
}

// readSide shares the fields both powers have; its Vault is still the owner's.
func (m *Manifest) readSide() *Reader {
	return &Reader{
		Name: m.Name, Generation: m.Generation, Created: m.Created, Grid: m.Grid,
		Vault: m.Vault, RootSecret: m.RootSecret, Folders: m.Folders, Pin: m.Pin,
	}
}

// validate checks all fields but the vault, whose rule depends on the power.
func (r *Reader) validate() error {
	if err := validateHead(r.Name, r.Generation, r.Created); err != nil {
		return err
	}
	if err := r.Grid.Validate(); err != nil {
		return err
	}
	if r.RootSecret.IsZero() {
		return invalid("the root secret is missing")
	}
	if err := validateFolders(r.Folders); err != nil {
		return err
	}
	if r.Pin == nil {
		return nil
	}
	if c := r.Pin.Snapshot; c.IsZero() || c.IsDirectory() || c.IsMutable() || !c.CanRead() {
		return invalid("the pin must be the read capability of an immutable file")
	}
	return nil
}

func validateHead(name string, generation uint64, created time.Time) error {
	if err := text("the name", name, 1, maxLabel); err != nil {
		return err
	}
	if generation == 0 {
		return invalid("generations count from 1")
	}
	if y := created.UTC().Year(); y < 1970 || y > 9999 {
		return invalid("the creation time is missing or out of range")
	}
	return nil
}

func validateFolders(folders []Folder) error {
	if len(folders) > maxFolders {
		return invalid("more than %d folders", maxFolders)
	}
	seen := make(map[string]bool, len(folders))
	for i, f := range folders {
		if err := f.Validate(); err != nil {
			return fmt.Errorf("folder %d: %w", i+1, err)
		}
		if seen[f.Name] {
			return invalid("two folders are named %q", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// Validate reports what is wrong with f, so that an editor can say so before sealing.
func (f Folder) Validate() error {
	if err := text("the folder name", f.Name, 1, maxName); err != nil {
		return err
	}
	if f.Name == "." || f.Name == ".." || strings.Contains(f.Name, "/") {
		return invalid("the folder name %q is not a single path element", f.Name)
	}
	if err := text("the folder path", f.Path, 1, maxPath); err != nil {
		return err
	}
	if !cleanPath(f.Path) {
		return invalid("the folder path %q must be absolute or start with ~/, without . or .. or doubled slashes", f.Path)
	}
	if f.Tier < 0 || f.Tier > 3 {
		return invalid("the tier of folder %q must be 1, 2 or 3", f.Name)
	}
	return nil
}

func cleanPath(p string) bool {
	if p == "~" {
		return true
	}
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		p = "/" + rest
		if p == "/" {
			return false
		}
	}
	return path.IsAbs(p) && path.Clean(p) == p
}
