package core

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// Servers that misbehave: whatever they do, each operation ends within its
// bound, with the right content or a sentence. The bounds are about three times
// what two cores were seen to take.
func TestServersThatMisbehave(t *testing.T) {
	r := newRealGrid(t)
	m := &misbehaving{realGrid: r, source: t.TempDir()}
	m.change(t)
	treetest.Write(t, m.source, "a/small file", []byte("small"))
	m.grid = r.connect()
	m.mustBackup(t, "all servers", 30*time.Second)
	for _, tt := range []struct {
		name string
		test func(*misbehaving, *testing.T)
	}{
		{"stopped", (*misbehaving).stopped},
		{"stopped in the middle", (*misbehaving).stoppedInTheMiddle},
		{"hung", (*misbehaving).hung},
		{"hung during a backup", (*misbehaving).hungDuringBackup},
		{"hung during a restore", (*misbehaving).hungDuringRestore},
		{"full and read-only", (*misbehaving).fullAndReadOnly},
		{"shares deleted", (*misbehaving).sharesDeleted},
		{"bytes flipped", (*misbehaving).bytesFlipped},
		{"answers that make no sense", (*misbehaving).answersThatMakeNoSense},
	} {
		if !t.Run(tt.name, func(t *testing.T) { tt.test(m, t) }) {
			return // the next case would start from an unhealthy grid
		}
	}
}

// misbehaving is a grid, one gateway that lives through all cases, and the
// folder that is backed up.
type misbehaving struct {
	*realGrid
	grid    *Grid
	source  string
	changes int
}

const volume = 17 << 20 // of one change: more than one pack

// change makes the next backup send new content.
func (m *misbehaving) change(t *testing.T) {
	t.Helper()
	m.changes++
	treetest.Write(t, m.source, "a/large file", treetest.Random(uint64(1000+m.changes), volume))
}

// within runs one operation, which must end before the bound does.
func (m *misbehaving) within(t *testing.T, what string, bound time.Duration, do func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	began := time.Now()
	err := do(ctx)
	t.Logf("%-40s %6.1f s", what, time.Since(began).Seconds())
	if ctx.Err() != nil {
		t.Errorf("%s: not done after %v", what, bound)
		return errors.Join(err, ctx.Err())
	}
	if err != nil {
		t.Logf("    %s (exit %d)\n    %v", Explain(err).Title, Explain(err).Exit, err)
	}
	return err
}

func (m *misbehaving) backup(t *testing.T, what string, bound time.Duration, tracker *progress.Tracker) error {
	t.Helper()
	return m.within(t, "backup, "+what, bound, func(ctx context.Context) error {
		report, err := m.grid.Backup(ctx, m.config, m.plan(m.source), tracker)
		if err == nil && report.ProblemCount > 0 {
			t.Errorf("%v", report.Problems)
		}
		return err
	})
}

// mustBackup backs new content up.
func (m *misbehaving) mustBackup(t *testing.T, what string, bound time.Duration) {
	t.Helper()
	m.change(t)
	if err := m.backup(t, what, bound, nil); err != nil {
		t.Fatal(err)
	}
}

// mustRestore restores the newest snapshot and compares everything.
func (m *misbehaving) mustRestore(t *testing.T, what string, bound time.Duration, tracker *progress.Tracker) {
	t.Helper()
	out := t.TempDir()
	if err := m.within(t, "restore, "+what, bound, func(ctx context.Context) error {
		chosen, err := m.grid.Choose(ctx, 0)
		if err != nil {
			return err
		}
		report, err := m.grid.Restore(ctx, chosen.Snapshot, restore.Options{Places: restore.ResolvePlaces(chosen.Snapshot, out)}, tracker)
		if err == nil && report.ProblemCount+report.WarningCount > 0 {
			t.Errorf("%v %v", report.Problems, report.Warnings)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	treetest.Same(t, m.source, filepath.Join(out, "papers"))
}

// wantSentence fails unless err is want and explained with that exit code.
func wantSentence(t *testing.T, err, want error, exit int) {
	t.Helper()
	if !errors.Is(err, want) || Explain(err).Exit != exit {
		t.Errorf("wanted %q and exit %d, got %d: %v", want, exit, Explain(err).Exit, err)
	}
}

// healthy makes sure that the gateway has all servers again and that backup
// and restore work. Where a case begins with a backup, the one before it can do
// without.
func (m *misbehaving) healthy(t *testing.T) {
	t.Helper()
	m.settle(t, all)
	m.mustBackup(t, "all servers again", time.Minute)
	m.mustRestore(t, "all servers again", time.Minute, nil)
}

// settle waits until the status is as it should become.
func (m *misbehaving) settle(t *testing.T, done func(Status) bool) {
	t.Helper()
	if err := m.within(t, "until the status shows it", time.Minute, func(ctx context.Context) error {
		for {
			s, err := m.grid.Status(ctx)
			if err != nil || done(s) {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func all(s Status) bool { return s.Usable == 6 }

func (m *misbehaving) each(t *testing.T, do func(int) error, nodes ...int) {
	t.Helper()
	for _, i := range nodes {
		if err := do(i); err != nil {
			t.Fatal(err)
		}
	}
}

// start starts nodes that were killed, all at once.
func (m *misbehaving) start(ctx context.Context, nodes ...int) error {
	var g errgroup.Group
	for _, i := range nodes {
		g.Go(func() error { return m.practice.StartNode(ctx, i) })
	}
	return g.Wait()
}

// short is how long to wait for servers that do not come.
func (m *misbehaving) short() (restore func()) {
	wait := m.grid.wait
	m.grid.wait = time.Second
	return func() { m.grid.wait = wait }
}

// packs are those of the newest snapshot.
func (m *misbehaving) packs(t *testing.T) []snapshot.Pack {
	t.Helper()
	chosen, err := m.grid.Choose(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var packs []snapshot.Pack
	for _, p := range chosen.Packs {
		packs = append(packs, p)
	}
	return packs
}

// check asks for the shares of every pack and calls use.
func (m *misbehaving) check(t *testing.T, what string, packs []snapshot.Pack, bound time.Duration, use func(tahoeclient.Health)) {
	t.Helper()
	if err := m.within(t, "check, "+what, bound, func(ctx context.Context) error {
		for _, p := range packs {
			h, err := m.grid.client.Check(ctx, p.Cap, tahoeclient.CheckOptions{Verify: true})
			if err != nil {
				return err
			}
			use(h)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (m *misbehaving) stopped(t *testing.T) {
	m.each(t, m.practice.KillNode, 0)
	m.mustBackup(t, "one stopped", 30*time.Second)
	m.mustRestore(t, "one stopped", 30*time.Second, nil)
	packs := m.packs(t)

	m.each(t, m.practice.KillNode, 1, 2)
	defer m.short()()
	wantSentence(t, m.backup(t, "three stopped", 30*time.Second, nil), ErrTooFewServers, ExitGrid)
	m.mustRestore(t, "three stopped", 30*time.Second, nil)
	m.check(t, "three stopped", packs, 30*time.Second, func(h tahoeclient.Health) {
		if !h.Recoverable || h.SharesGood < 3 {
			t.Errorf("%+v", h)
		}
	})
	m.settle(t, func(s Status) bool { return s.Usable == 3 })
	if err := m.start(t.Context(), 0, 1, 2); err != nil {
		t.Fatal(err)
	}
	m.settle(t, all)
}

// Three servers stop while packs are on their way, and come back: the run goes
// on by itself.
func (m *misbehaving) stoppedInTheMiddle(t *testing.T) {
	m.change(t)
	var tracker progress.Tracker
	stopped := make(chan error, 1)
	go func() {
		waitUntil(t.Context(), func() bool { return tracker.Status().Moved > volume/2 })
		stopped <- errors.Join(m.practice.KillNode(3), m.practice.KillNode(4), m.practice.KillNode(5),
			m.start(t.Context(), 3, 4, 5))
	}()
	err := m.backup(t, "three stopped in the middle", 2*time.Minute, &tracker)
	if err := errors.Join(err, <-stopped); err != nil {
		t.Fatal(err)
	}
	m.mustRestore(t, "all servers again", 30*time.Second, nil)
	m.settle(t, all)
}

func waitUntil(ctx context.Context, done func() bool) {
	for !done() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// hung: the first operation, which needs the vault directory, waits until the
// gateway gives the server up; meanwhile the status shows it as silent.
func (m *misbehaving) hung(t *testing.T) {
	packs := m.packs(t)
	m.each(t, m.practice.Suspend, 0)
	defer m.practice.Resume(0)
	silent := make(chan bool, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		seen := false
		waitUntil(ctx, func() bool {
			s, err := m.grid.Status(ctx)
			for _, v := range s.Servers {
				seen = seen || err == nil && v.Silent && v.Connected && s.Usable == 5 && time.Since(v.LastHeard) > 10*time.Second
			}
			return seen
		})
		silent <- seen
	}()
	m.mustBackup(t, "one hung", 2*time.Minute)
	cancel()
	if !<-silent {
		t.Error("the status did not show the hung server as silent")
	}
	m.check(t, "one hung", packs, time.Minute, func(h tahoeclient.Health) {
		if !h.Recoverable || h.GoodHosts < 3 || h.GoodHosts > 5 {
			t.Errorf("%+v", h)
		}
	})
	m.each(t, m.practice.Resume, 0)
	m.settle(t, all)
}

func (m *misbehaving) hungDuringBackup(t *testing.T) {
	m.change(t)
	var tracker progress.Tracker
	go func() {
		waitUntil(t.Context(), func() bool { return tracker.Status().Moved > volume/2 })
		m.practice.Suspend(1)
	}()
	defer m.practice.Resume(1)
	if err := m.backup(t, "one hung in the middle", 2*time.Minute, &tracker); err != nil {
		t.Fatal(err)
	}
	m.mustRestore(t, "one hung in the middle", time.Minute, nil)
	m.each(t, m.practice.Resume, 1)
	m.healthy(t) // what was stored meanwhile bears two losses, not three
}

// hungDuringRestore hangs as many servers as may vanish, in the middle of a
// restore and just before another machine backs up.
func (m *misbehaving) hungDuringRestore(t *testing.T) {
	other := *m
	other.grid = m.connect()
	var tracker progress.Tracker
	backup := make(chan error, 1)
	go func() {
		waitUntil(t.Context(), func() bool { return tracker.Status().Moved > volume/4 })
		for _, i := range []int{2, 3, 4} {
			m.practice.Suspend(i)
		}
		backup <- other.backup(t, "three hung before it", 2*time.Minute, nil)
	}()
	defer func() {
		for _, i := range []int{2, 3, 4} {
			m.practice.Resume(i)
		}
	}()
	m.mustRestore(t, "three hung in the middle", 2*time.Minute, &tracker)
	wantSentence(t, <-backup, vault.ErrTooFewServers, ExitGrid)
	defer m.short()()
	wantSentence(t, m.backup(t, "three hung for long", time.Minute, nil), ErrTooFewServers, ExitGrid)
	m.each(t, m.practice.Resume, 2, 3, 4)
	m.settle(t, all)
}

func (m *misbehaving) fullAndReadOnly(t *testing.T) {
	restart := func(mode node.StorageMode, nodes ...int) {
		t.Helper()
		var g errgroup.Group
		for _, i := range nodes {
			g.Go(func() error { return m.practice.RestartNode(t.Context(), i, mode) })
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	refusing := func(n int) func(Status) bool {
		return func(s Status) bool {
			none := 0
			for _, v := range s.Servers {
				if v.Connected && v.AvailableSpace == 0 {
					none++
				}
			}
			return s.Usable == 6 && none == n
		}
	}
	restart(node.Full, 0)
	m.settle(t, refusing(1))
	m.mustBackup(t, "one full", 30*time.Second)
	m.mustRestore(t, "one full", 30*time.Second, nil)
	restart(node.ReadOnly, 1)
	m.settle(t, refusing(2))
	m.change(t)
	wantSentence(t, m.backup(t, "one full and one read-only", time.Minute, nil), tahoeclient.ErrUnhappy, ExitGrid)
	restart(node.Writable, 0, 1)
	m.settle(t, all)
}

// newGateway is what the next command would start.
func (m *misbehaving) newGateway(t *testing.T) {
	t.Helper()
	m.grid.Close()
	m.grid = m.connect()
	m.settle(t, all)
}

// newVault makes another vault on the same grid.
func (m *misbehaving) newVault(t *testing.T) {
	t.Helper()
	grid, err := PracticeGrid(m.practice.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if m.manifest, err = CreateManifest(t.Context(), m.config, Draft{Name: "another", Grid: grid}, nil); err != nil {
		t.Fatal(err)
	}
	m.newGateway(t)
}
