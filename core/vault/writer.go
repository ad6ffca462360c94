package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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

// Writer is the right to change the vault directory, held by one run. Its
// methods may be called from any goroutine: one change follows another.
type Writer struct {
	v   *Vault
	who [markWho]byte
	d   *Directory // as of the claim: but for the mark and the checkpoint nobody else changes it

	mu      sync.Mutex
	renewed time.Time
}

// Claim marks the vault as being written by this machine. A valid mark of
// another machine gives ErrBusy unless force is set. A mark that this machine
// left since it was started is its own: the caller holds the lock that keeps
// two runs on one machine apart.
func (v *Vault) Claim(ctx context.Context, force bool) (*Writer, *Directory, error) {
	v.known.forget() // what a run builds upon it has read itself
	d, err := v.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	w := &Writer{v: v, who: v.writerID(), d: d}
	if who, until, ok := v.readMark(ctx, d.writer); ok && !force && who != w.who && time.Now().Before(until) {
		return nil, nil, ErrBusy
	}
	if err := w.set(ctx, map[string]tahoeclient.Cap{nameWriter: v.newMark(w.who)}); err != nil {
		return nil, nil, fmt.Errorf("marking the vault as being written: %w", err)
	}
	w.renewed = time.Now()
	return w, d, nil
}

// Hold runs work while the vault is marked as being written and the mark is
// kept alive; see Claim for force. Work gives the mark up with its last change;
// after an error Hold does, if it can.
func (v *Vault) Hold(ctx context.Context, force bool, work func(context.Context, *Writer) error) error {
	w, _, err := v.Claim(ctx, force)
	if err != nil {
		return err
	}
	held, lose := context.WithCancelCause(ctx)
	var alive errgroup.Group
	alive.Go(func() error {
		if err := w.KeepAlive(held); err != nil {
			lose(err)
		}
		return nil
	})
	err = work(held, w)
	if cause := context.Cause(held); err != nil && cause != nil {
		err = cause
	}
	lose(nil)
	alive.Wait()
	if err != nil && !errors.Is(err, ErrBusy) {
		w.giveUp(ctx)
	}
	return err
}

// goodbye is how long giving the mark up may take; otherwise it runs out.
const goodbye = 20 * time.Second

func (w *Writer) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.change(ctx, map[string]tahoeclient.Cap{nameWriter: none}, nil)
}

// KeepAlive renews the mark in time until ctx ends or the mark is lost.
func (w *Writer) KeepAlive(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		err := w.renew(ctx)
		if errors.Is(err, ErrBusy) {
			return err
		}
	}
}

func (w *Writer) renew(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.renewed) < markRenew {
		return nil
	}
	return w.change(ctx, map[string]tahoeclient.Cap{nameWriter: w.v.newMark(w.who)}, nil)
}

// Checkpoint notes that the packs are stored, for a run that continues this
// one, and renews the mark in the same update.
func (w *Writer) Checkpoint(ctx context.Context, c Checkpoint) error {
	return w.checkpoint(ctx, c, w.v.newMark(w.who))
}

// Leave is a last Checkpoint, which gives the mark up.
func (w *Writer) Leave(ctx context.Context, c Checkpoint) error {
	return w.checkpoint(ctx, c, none)
}

func (w *Writer) checkpoint(ctx context.Context, c Checkpoint, mark tahoeclient.Cap) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	stored := none
	if len(c.Packs) > 0 {
		var err error
		if stored, err = w.v.putRecord(ctx, nameCheckpoint, wireCheckpoint{Packs: snapshot.NewPackList(c.Packs)}); err != nil {
			return err
		}
	}
	if err := w.change(ctx, map[string]tahoeclient.Cap{nameCheckpoint: stored, nameWriter: mark}, nil); err != nil {
		return fmt.Errorf("noting what is stored: %w", err)
	}
	return nil
}

// Commit stores s and links it as its sequence number, never in the place of
// another. The same update empties the checkpoint, gives up the mark and, if
// there are caretakers, tells them of the new packs. Before the link the stored
// object is read back and compared, after it the link is; only a nil error means
// that it stands.
func (w *Writer) Commit(ctx context.Context, s *snapshot.Snapshot) (tahoeclient.Cap, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stored, err := w.v.putSnapshot(ctx, s)
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	links := map[string]tahoeclient.Cap{
		snapshotName(s.Sequence): stored,
		nameCheckpoint:           none,
		nameWriter:               none,
	}
	// The config is not written again and not in any pack table.
	w.v.client.Check(ctx, w.d.config, tahoeclient.CheckOptions{AddLease: true})
	if w.d.HasCaretakers() {
		if links[nameCare], err = w.v.extendCareList(ctx, w.d, s); err != nil {
			return tahoeclient.Cap{}, err
		}
	}
	if err := w.change(ctx, links, func(d *Directory) error {
		if _, taken := d.Snapshots[s.Sequence]; taken {
			return tahoeclient.ErrConflict
		}
		return nil
	}); err != nil {
		return tahoeclient.Cap{}, fmt.Errorf("linking snapshot %d: %w", s.Sequence, err)
	}
	return stored, nil
}

// putSnapshot stores s and reads it back.
func (v *Vault) putSnapshot(ctx context.Context, s *snapshot.Snapshot) (tahoeclient.Cap, error) {
	sealed, err := s.Seal(v.Keys)
	if err != nil {
		return tahoeclient.Cap{}, err
	}
	stored, err := v.put(ctx, sealed)
	if err != nil {
		return tahoeclient.Cap{}, fmt.Errorf("storing snapshot %d: %w", s.Sequence, err)
	}
	back, err := v.read(ctx, stored)
	if err != nil {
		return tahoeclient.Cap{}, fmt.Errorf("reading snapshot %d back: %w", s.Sequence, err)
	}
	if !bytes.Equal(back, sealed) {
		return tahoeclient.Cap{}, fmt.Errorf("snapshot %d: %w", s.Sequence, ErrNotStored)
	}
	return stored, nil
}

// change is set for a writer that still holds its mark: one that was away too
// long must not write over what another has done since.
func (w *Writer) change(ctx context.Context, caps map[string]tahoeclient.Cap, allowed func(*Directory) error) error {
	d, err := w.holds(ctx)
	if err != nil {
		return err
	}
	if allowed != nil {
		if err := allowed(d); err != nil {
			return err
		}
	}
	if err := w.set(ctx, caps); err != nil {
		return err
	}
	if caps[nameWriter] != (tahoeclient.Cap{}) {
		w.renewed = time.Now()
	}
	return nil
}

// holds reads the directory and makes sure that it still carries our mark, and
// one with time left: a machine that slept may find its own run out, and somebody
// else about to claim.
func (w *Writer) holds(ctx context.Context) (*Directory, error) {
	for again := false; ; again = true {
		d, err := w.v.Read(ctx)
		if err != nil {
			return nil, err
		}
		who, until, ok := w.v.readMark(ctx, d.writer)
		if !ok || who != w.who {
			return nil, ErrBusy
		}
		if again || time.Until(until) > markLifetime/3 {
			return d, nil
		}
		if err := w.set(ctx, map[string]tahoeclient.Cap{nameWriter: w.v.newMark(w.who)}); err != nil {
			return nil, err
		}
		w.renewed = time.Now()
	}
}

// set changes children in one update of the directory and reads it back.
func (w *Writer) set(ctx context.Context, caps map[string]tahoeclient.Cap) error {
	if err := w.v.requireServers(ctx); err != nil {
		return err
	}
	children := make(map[string]tahoeclient.Child, len(caps))
	for name, c := range caps {
		children[name] = tahoeclient.Child{Cap: c}
	}
	if err := w.v.client.SetChildren(ctx, w.v.dir, children, true); err != nil {
		return err
	}
	got, err := w.v.client.ReadDir(ctx, w.v.dir)
	if err != nil {
		return fmt.Errorf("reading the vault directory back: %w", err)
	}
	for name, c := range caps {
		if got[name].Cap != c {
			return fmt.Errorf("%s: %w", name, ErrNotStored)
		}
	}
	// Tahoe reports success even for a single server: those that went in
	// between have the old version.
	return w.v.requireServers(ctx)
}

// ThisMachine names this computer since its last start, and the place of the
// locks that keep its runs apart: after a power cut a mark has to run out.
func ThisMachine(locks string) string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return fmt.Sprintf("%s %d %s", boot, os.Getuid(), locks)
}

func (v *Vault) writerID() (who [markWho]byte) {
	id := v.Keys.Identity("writer " + v.machine)
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
		return fmt.Errorf("%w: the vault has no %s", snapshot.ErrFormat, kind)
	}
	sealed, err := v.read(ctx, c)
	if err != nil {
		return fmt.Errorf("fetching the %s: %w", kind, err)
	}
	return v.Keys.OpenRecord(kind, sealed, value)
}
