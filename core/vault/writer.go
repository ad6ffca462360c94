package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// The writer's mark is a literal file, so that it lives inside the directory
// and costs no upload: who (8 bytes) and until when (seconds, 6 bytes), sealed
// to 54 of the 55 bytes a literal file may have.
const (
	markWho      = 8
	markSize     = markWho + 6
	kindMark     = "writer"
	markLifetime = 15 * time.Minute
	// markRenew leaves a slow line time for the renewal.
	markRenew = 5 * time.Minute
)

// ErrBusy: another run has marked the vault as its own.
var ErrBusy = errors.New("another backup to this vault is running or was cut off less than 15 minutes ago")

// Writer is the right to change the vault directory, held by one run.
type Writer struct {
	v       *Vault
	who     [markWho]byte
	renewed time.Time
}

// Claim marks the vault as being written by this machine. A valid mark of
// another machine gives ErrBusy unless force is set. A mark that this machine
// left since it was started is its own: the caller holds the lock that keeps
// two runs on one machine apart.
func (v *Vault) Claim(ctx context.Context, force bool) (*Writer, *Directory, error) {
	d, err := v.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	w := &Writer{v: v, who: v.writerID()}
	if who, until, ok := v.readMark(ctx, d.writer); ok && !force && who != w.who && time.Now().Before(until) {
		return nil, nil, ErrBusy
	}
	if err := w.mark(ctx); err != nil {
		return nil, nil, err
	}
	return w, d, nil
}

// Renew keeps the mark valid. It is cheap to call often.
func (w *Writer) Renew(ctx context.Context) error {
	if time.Since(w.renewed) < markRenew {
		return nil
	}
	return w.mark(ctx)
}

// Checkpoint notes that the packs are stored, for a run that continues this
// one, and renews the mark in the same update.
func (w *Writer) Checkpoint(ctx context.Context, c Checkpoint) error {
	stored, err := w.v.putRecord(ctx, nameCheckpoint, wireCheckpoint{Packs: snapshot.NewPackList(c.Packs)})
	if err != nil {
		return err
	}
	if err := w.v.change(ctx, map[string]tahoeclient.Cap{nameCheckpoint: stored, nameWriter: w.v.newMark(w.who)}); err != nil {
		return fmt.Errorf("noting what is stored: %w", err)
	}
	w.renewed = time.Now()
	return nil
}

// Release gives the mark up without a commit.
func (w *Writer) Release(ctx context.Context) error {
	return w.v.change(ctx, map[string]tahoeclient.Cap{nameWriter: none})
}

func (w *Writer) mark(ctx context.Context) error {
	if err := w.v.change(ctx, map[string]tahoeclient.Cap{nameWriter: w.v.newMark(w.who)}); err != nil {
		return fmt.Errorf("marking the vault as being written: %w", err)
	}
	w.renewed = time.Now()
	return nil
}

// writerID identifies this computer since its last start, as far as this vault
// can tell: after a power cut the mark has to run out.
func (v *Vault) writerID() (who [markWho]byte) {
	machine := v.machine
	if machine == "" {
		boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
		machine = fmt.Sprintf("%s %d", boot, os.Getuid())
	}
	id := v.Keys.Identity("writer " + machine)
	copy(who[:], id[:])
	return who
}

func (v *Vault) newMark(who [markWho]byte) tahoeclient.Cap {
	until := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(markLifetime).Unix()))
	return literal(v.Keys.SealSmall(kindMark, append(who[:], until[2:]...)))
}

func (v *Vault) readMark(ctx context.Context, c tahoeclient.Cap) (who [markWho]byte, until time.Time, ok bool) {
	if c.IsZero() || c == none {
		return who, until, false
	}
	sealed, err := v.read(ctx, c)
	if err != nil {
		return who, until, false
	}
	plain, err := v.Keys.OpenSmall(kindMark, sealed)
	if err != nil || len(plain) != markSize {
		return who, until, false
	}
	copy(who[:], plain)
	seconds := binary.BigEndian.Uint64(append([]byte{0, 0}, plain[markWho:]...))
	return who, time.Unix(int64(seconds), 0), true
}

// Config is what a vault remembers about how its folders are backed up.
type Config struct {
	Rules         []string            `cbor:"1,keyasint,omitempty"`
	FolderRules   map[string][]string `cbor:"2,keyasint,omitempty"`
	OneFileSystem bool                `cbor:"3,keyasint,omitempty"`
	SkipCacheDirs bool                `cbor:"4,keyasint,omitempty"`
	MaxSize       int64               `cbor:"5,keyasint,omitempty"`
}

// SetConfig replaces the vault's config.
func (w *Writer) SetConfig(ctx context.Context, c Config) error {
	stored, err := w.v.putRecord(ctx, nameConfig, c)
	if err != nil {
		return err
	}
	if err := w.v.change(ctx, map[string]tahoeclient.Cap{nameConfig: stored}); err != nil {
		return fmt.Errorf("remembering the filters: %w", err)
	}
	return nil
}

// ReadConfig returns the vault's config, as of d.
func (v *Vault) ReadConfig(ctx context.Context, d *Directory) (Config, error) {
	var c Config
	return c, v.readRecord(ctx, nameConfig, d.config, &c)
}

// Checkpoint is what an unfinished run has stored.
type Checkpoint struct {
	Packs map[snapshot.PackID]snapshot.Pack
}

type wireCheckpoint struct {
	Packs snapshot.PackList `cbor:"1,keyasint"`
}

// ReadCheckpoint returns the checkpoint as of d, empty when there is none.
func (v *Vault) ReadCheckpoint(ctx context.Context, d *Directory) (Checkpoint, error) {
	if d.checkpoint.IsZero() || d.checkpoint == none {
		return Checkpoint{}, nil
	}
	var w wireCheckpoint
	if err := v.readRecord(ctx, nameCheckpoint, d.checkpoint, &w); err != nil {
		return Checkpoint{}, err
	}
	packs, err := w.Packs.Packs()
	return Checkpoint{Packs: packs}, err
}

func (v *Vault) putRecord(ctx context.Context, kind string, value any) (tahoeclient.Cap, error) {
	sealed, err := v.Keys.SealRecord(kind, value)
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	c, err := v.put(ctx, sealed)
	if err != nil {
		return tahoeclient.Cap{}, fmt.Errorf("storing the %s: %w", kind, err)
	}
	return c, nil
}

func (v *Vault) readRecord(ctx context.Context, kind string, c tahoeclient.Cap, value any) error {
	if c.IsZero() {
		return fmt.Errorf("%w: the vault has no %s", ErrNoVault, kind)
	}
	sealed, err := v.read(ctx, c)
	if err != nil {
		return fmt.Errorf("fetching the %s: %w", kind, err)
	}
	return v.Keys.OpenRecord(kind, sealed, value)
}
