package core

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

func (m *misbehaving) shares(i int) string {
	return filepath.Join(m.practice.NodeDir(i), "storage", "shares")
}

// sharesDeleted and the cases after it work on a new vault: each server has one
// share of everything. A directory that was changed while servers were away has
// shares of one number on two servers; when one of those is damaged, Tahoe 1.20
// reads it again and again without end (mutable/retrieve.py: readers[shnum]
// stays the bad one).
func (m *misbehaving) sharesDeleted(t *testing.T) {
	m.newVault(t)
	m.mustBackup(t, "new vault", time.Minute)
	packs := m.packs(t)
	away := func(i int) error {
		return errors.Join(os.Rename(m.shares(i), m.shares(i)+".away"), os.MkdirAll(filepath.Join(m.shares(i), "incoming"), 0o700))
	}
	back := func(i int) error {
		return errors.Join(os.RemoveAll(m.shares(i)), os.Rename(m.shares(i)+".away", m.shares(i)))
	}
	m.each(t, away, 0)
	m.mustRestore(t, "shares of one deleted", 30*time.Second, nil)
	m.each(t, away, 1, 2)
	m.mustRestore(t, "shares of three deleted", 30*time.Second, nil)
	m.check(t, "shares of three deleted", packs, 30*time.Second, func(h tahoeclient.Health) {
		if !h.Recoverable || h.SharesGood != 3 {
			t.Errorf("%+v", h)
		}
	})
	m.each(t, away, 3)
	m.lost(t, "shares of four deleted", packs, 2)
	m.each(t, back, 0, 1, 2, 3)
	m.mustRestore(t, "shares back", 30*time.Second, nil)
}

// lost expects the sentence for data that is gone from servers that answer.
func (m *misbehaving) lost(t *testing.T, what string, packs []snapshot.Pack, good int) {
	t.Helper()
	out := t.TempDir()
	err := m.within(t, "restore, "+what, 30*time.Second, func(ctx context.Context) error {
		_, err := restoreNewest(ctx, m.grid, out)
		return err
	})
	wantSentence(t, err, tahoeclient.ErrDamaged, ExitFailed)
	if left, _ := os.ReadDir(out); len(left) != 0 {
		t.Errorf("it wrote %v", left)
	}
	wantSentence(t, m.backup(t, what, 30*time.Second, nil), vault.ErrNoVault, ExitFailed)
	m.check(t, what, packs, 30*time.Second, func(h tahoeclient.Health) {
		if h.Recoverable || h.SharesGood != good {
			t.Errorf("%+v", h)
		}
	})
}

func (m *misbehaving) bytesFlipped(t *testing.T) {
	packs := m.packs(t)
	flipAll := func(i int) error { return flip(m.shares(i), 0) }
	m.each(t, flipAll, 0)
	m.mustRestore(t, "bytes flipped on one", 30*time.Second, nil)
	m.each(t, flipAll, 1, 2)
	m.mustRestore(t, "bytes flipped on three", 30*time.Second, nil)
	m.check(t, "bytes flipped on three", packs, 30*time.Second, func(h tahoeclient.Health) {
		if !h.Recoverable || h.SharesGood != 3 || h.CorruptShares != 3 {
			t.Errorf("%+v", h)
		}
	})
	m.each(t, flipAll, 3)
	m.lost(t, "bytes flipped on four", packs, 2)
	m.each(t, flipAll, 0, 1, 2, 3)
	m.onePackLost(t)
	m.healthy(t)
}

// onePackLost damages the packs of full size: that costs the files in them, each
// of which is named, and leaves nothing of them.
func (m *misbehaving) onePackLost(t *testing.T) {
	flipLarge := func(i int) error { return flip(m.shares(i), 4<<20) }
	m.each(t, flipLarge, 2, 3, 4, 5)
	out := t.TempDir()
	var report restore.Report
	if err := m.within(t, "restore, a pack flipped on four", time.Minute, func(ctx context.Context) (err error) {
		report, err = restoreNewest(ctx, m.grid, out)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if report.ProblemCount == 0 {
		t.Error("nothing is missing")
	}
	for _, p := range report.Problems {
		if !errors.Is(p.Err, tahoeclient.ErrDamaged) {
			t.Errorf("%v", p)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(out, "papers", "a", "large file*")); len(left) != 0 {
		t.Errorf("restored were %q", left)
	}
	m.each(t, flipLarge, 2, 3, 4, 5)
}

// answersThatMakeNoSense: a share file whose count of leases is wrong makes its
// server answer with less than it was asked for, which Tahoe 1.20 waits for
// without end. We do not.
func (m *misbehaving) answersThatMakeNoSense(t *testing.T) {
	pack := m.packs(t)[0]
	o := clientOptions(m.config, m.manifest.Grid)
	o.IdleTimeout, o.RequestTimeout, o.MinRate = 3*time.Second, 4*time.Second, 16<<20
	client := tahoeclient.New(m.grid.gateway.Socket(), o)
	defer client.Close()
	flipCount := func(i int) error { return flipAt(m.shares(i), 0, func(int) []int { return []int{8} }) }
	m.each(t, flipCount, 0, 1, 2, 3)
	err := m.within(t, "download, nonsense from four", time.Minute, func(ctx context.Context) error {
		_, err := client.ReadAll(ctx, pack.Cap, 0, -1)
		return err
	})
	wantSentence(t, err, tahoeclient.ErrStuck, ExitGrid)
	m.each(t, flipCount, 0, 1, 2, 3)
	m.newGateway(t)
	m.mustRestore(t, "all servers and a new gateway", time.Minute, nil)
}

// flip inverts bytes of the data in every share below dir that is larger than
// so many bytes, at several places. Done again it undoes that.
func flip(dir string, larger int64) error {
	const header, leases = 468, 72 // of a mutable share; of an immutable one
	return flipAt(dir, larger, func(size int) (places []int) {
		for i := range 4 {
			places = append(places, header+(size-leases-header)*(2*i+1)/8)
		}
		return places
	})
}

func flipAt(dir string, larger int64, places func(size int) []int) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || int64(len(data)) <= larger {
			return err
		}
		for _, at := range places(len(data)) {
			data[at] ^= 0xff
		}
		return os.WriteFile(path, data, 0o600)
	})
}
