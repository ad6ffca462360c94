package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hiddenbackup/tahoeclient"
)

// Filters are what backups leave out where they are not told otherwise.
type Filters struct {
	Rules         []string            `cbor:"1,keyasint,omitempty"`
	FolderRules   map[string][]string `cbor:"2,keyasint,omitempty"`
	OneFileSystem bool                `cbor:"3,keyasint,omitempty"`
	SkipCacheDirs bool                `cbor:"4,keyasint,omitempty"`
	MaxSize       int64               `cbor:"5,keyasint,omitempty"`
}

// Config is what a vault remembers beside its snapshots.
type Config struct {
	Filters
	Proofs Proofs `cbor:"6,keyasint"`
}

// Proofs are what was shown to be true of this vault, and when. All times are
// those of the machine that found out, in whole seconds; zero is never.
type Proofs struct {
	_         struct{}  `cbor:",toarray"`
	Checked   Check     // the last round
	Verified  Check     // the last one that read packs
	Renewed   time.Time // the leases of everything
	Rehearsed Rehearsal
	Recalled  time.Time // the passphrase, typed from memory
	Receipts  []Receipt
}

// Check is the outcome of a round over all objects.
type Check struct {
	_        struct{} `cbor:",toarray"`
	Time     time.Time
	Snapshot uint64   // the newest then
	Form     [32]byte // names the form it had: see Form
	Objects  uint64
	Lost     uint64 // objects that cannot be read
	Weak     uint64 // that can, with fewer shares than planned or corrupt ones
	Packs    uint64
	Read     uint64 // of the packs: those read in full, every byte
	// Servers and Operators are how many may vanish before the first object is
	// lost; -1 where operators are not known.
	Servers, Operators int
}

// Rehearsal is the outcome of a restore as if everything were lost.
type Rehearsal struct {
	_        struct{} `cbor:",toarray"`
	Time     time.Time
	Snapshot uint64
	Form     [32]byte // as in Check
	Full     bool     // everything; otherwise the first tier and a sample
	Passed   bool
	Files    uint64
	Bytes    int64         // of their content
	Fetched  int64         // bytes from the grid
	Elapsed  time.Duration // of the restore alone
}

// Form names the form a snapshot has in d, without telling where it is. One that
// was issued anew has another, and what was proven of the old one is not proven
// of it. Zero for a snapshot that is not in d.
func (v *Vault) Form(d *Directory, n uint64) [32]byte {
	c, ok := d.Snapshots[n]
	if !ok {
		return [32]byte{}
	}
	return v.Keys.Identity("form " + c.Secret())
}

// Role is what somebody keeps.
type Role uint8

// The roles; part of the format.
const (
	RoleHolder    Role = 1 // of a manifest
	RoleCaretaker Role = 2
)

// Receipt says that somebody has what was given to her.
type Receipt struct {
	_          struct{} `cbor:",toarray"`
	Role       Role
	Name       string
	Generation uint64 // of the manifest
	Confirmed  time.Time
}

// maxReceipts is more people than anybody can trust.
const maxReceipts = 1000

// SetReceipt notes r in the place of an earlier one of the same person and role.
// To be given something does not undo having confirmed it.
func (p *Proofs) SetReceipt(r Receipt) error {
	if i := slices.IndexFunc(p.Receipts, r.same); i >= 0 && r.Confirmed.IsZero() && p.Receipts[i].Generation == r.Generation {
		r.Confirmed = p.Receipts[i].Confirmed
	}
	p.Receipts = slices.DeleteFunc(p.Receipts, r.same)
	if len(p.Receipts) >= maxReceipts {
		return fmt.Errorf("more than %d receipts", maxReceipts)
	}
	p.Receipts = append(p.Receipts, r)
	return nil
}

// DropReceipt forgets a person and reports whether she was known.
func (p *Proofs) DropReceipt(role Role, name string) bool {
	before := len(p.Receipts)
	p.Receipts = slices.DeleteFunc(p.Receipts, Receipt{Role: role, Name: name}.same)
	return len(p.Receipts) < before
}

func (r Receipt) same(other Receipt) bool { return r.Role == other.Role && r.Name == other.Name }

// ReadConfig returns the vault's config, as of d.
func (v *Vault) ReadConfig(ctx context.Context, d *Directory) (Config, error) {
	var c Config
	return c, v.readRecord(ctx, nameConfig, d.config, &c)
}

// Amend changes the vault's config under the writer's mark. An error of edit
// changes nothing.
func (v *Vault) Amend(ctx context.Context, force bool, edit func(*Config) error) error {
	return v.amend(ctx, force, func(_ context.Context, c *Config, err error) error {
		if err != nil {
			return err
		}
		return edit(c)
	})
}

// Remember sets the filters. Where the config is lost for good they are the
// beginning of a new one.
func (v *Vault) Remember(ctx context.Context, force bool, f Filters) error {
	return v.amend(ctx, force, func(ctx context.Context, c *Config, err error) error {
		if err != nil && !v.lost(ctx, err) {
			return err
		}
		if err != nil {
			*c = Config{}
		}
		c.Filters = f
		return nil
	})
}

func (v *Vault) amend(ctx context.Context, force bool, edit func(context.Context, *Config, error) error) error {
	return v.Hold(ctx, force, func(ctx context.Context, w *Writer) error {
		c, err := v.ReadConfig(ctx, w.d)
		if err := edit(ctx, &c, err); err != nil {
			return err
		}
		stored, err := v.putRecord(ctx, nameConfig, c)
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if err := w.change(ctx, map[string]tahoeclient.Cap{nameConfig: stored, nameWriter: none}, nil); err != nil {
			return fmt.Errorf("changing what the vault remembers: %w", err)
		}
		return nil
	})
}
