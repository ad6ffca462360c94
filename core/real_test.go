package core

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/restore"
)

// realGrid is a practice grid of six storage nodes and a manifest for it.
type realGrid struct {
	t        *testing.T
	practice *node.Practice
	manifest *manifest.Manifest
	config   Config
}

// shared is the practice grid of all tests that need no tor: starting one takes
// longer than most of them.
var shared struct {
	once     sync.Once
	dir      string
	practice *node.Practice
	err      error
}

// closeShared is for the end of all tests.
func closeShared() {
	if shared.practice != nil {
		shared.practice.Close()
	}
	if shared.dir != "" {
		os.RemoveAll(shared.dir)
	}
}

// newRealGrid is the shared grid, empty, and a new vault on it. Whatever a test
// does to the nodes ends with it.
func newRealGrid(t *testing.T) *realGrid {
	t.Helper()
	nodetest.RequireTahoe(t)
	manifest.SetTestProfile(t)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "hb-"); shared.err == nil {
			shared.practice, shared.err = node.StartPractice(t.Context(), node.PracticeConfig{Dir: filepath.Join(shared.dir, "grid"), Nodes: 6, Needed: 3})
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	r := &realGrid{t: t, practice: shared.practice, config: Config{Directory: nodetest.Dir(t), AllowDisk: true, Wait: 20 * time.Second}}
	t.Cleanup(r.tidy)
	grid, err := PracticeGrid(r.practice.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if r.manifest, err = CreateManifest(t.Context(), r.config, Draft{Name: "test", Grid: grid}, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// tidy starts what was stopped and takes away what is stored.
func (r *realGrid) tidy() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var g errgroup.Group
	for i := range 6 {
		g.Go(func() error {
			err := r.practice.StartNode(ctx, i)
			if errors.Is(err, node.ErrAlreadyRunning) {
				err = r.practice.Resume(i)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		r.t.Errorf("the grid is not what it was: %v", err)
	}
	for i := range 6 {
		prefixes, _ := filepath.Glob(filepath.Join(r.practice.NodeDir(i), "storage", "shares", "[a-z2-7][a-z2-7]"))
		for _, dir := range prefixes {
			os.RemoveAll(dir)
		}
	}
}

// connect is a new machine: all it has is the manifest, sealed and opened.
func (r *realGrid) connect() *Grid {
	r.t.Helper()
	pass := []byte("walrus lantern mountain gravel pliable outfit sandbox")
	sealed, err := manifest.Seal(r.manifest, pass, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	opened, err := manifest.Open(sealed, pass)
	if err != nil {
		r.t.Fatal(err)
	}
	access, err := NewAccess(opened)
	if err != nil {
		r.t.Fatal(err)
	}
	g, err := Connect(r.t.Context(), r.config, access, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { g.Close() })
	return g
}

func (r *realGrid) plan(dir string) BackupPlan {
	return BackupPlan{Folders: []manifest.Folder{{Name: "papers", Path: dir}}}
}

func restoreNewest(ctx context.Context, g *Grid, dir string) (restore.Report, error) {
	chosen, err := g.Choose(ctx, 0)
	if err != nil {
		return restore.Report{}, err
	}
	return g.Restore(ctx, chosen.Snapshot, restore.Options{Places: restore.ResolvePlaces(chosen.Snapshot, dir)}, nil)
}

// The promises about servers, in the order in which they fail: everything
// comes back; any three of six may vanish; with one more there is a sentence
// and no file; and when servers return, so does everything.
func TestRealGridKeepsItsPromises(t *testing.T) {
	r := newRealGrid(t)
	source := t.TempDir()
	treetest.Nasty(t, source)
	g := r.connect()
	report, err := g.Backup(t.Context(), r.config, r.plan(source), nil)
	if err != nil || report.ProblemCount != 0 || report.Weak != 0 {
		t.Fatalf("%v, problems %v, %d weak", err, report.Problems, report.Weak)
	}
	second, err := g.Backup(t.Context(), r.config, r.plan(source), nil)
	if err != nil || second.Sent > 256<<10 || second.Info.Parent != 1 {
		t.Errorf("second run: %v, %d bytes sent", err, second.Sent)
	}

	restores := func(when string) {
		t.Helper()
		out := t.TempDir()
		rr, err := restoreNewest(t.Context(), r.connect(), out)
		if err != nil || rr.ProblemCount != 0 || rr.WarningCount != 0 {
			t.Fatalf("%s: %v, problems %v, warnings %v", when, err, rr.Problems, rr.Warnings)
		}
		treetest.Same(t, source, filepath.Join(out, "papers"))
	}
	restores("with all servers")

	for i := range 3 {
		if err := r.practice.KillNode(i); err != nil {
			t.Fatal(err)
		}
	}
	restores("with three servers of six")
	short := r.config
	short.Wait = 4 * time.Second
	r.config = short
	if _, err := r.connect().Backup(t.Context(), short, r.plan(source), nil); !errors.Is(err, ErrTooFewServers) {
		t.Errorf("backing up to three of six: %v", err)
	}

	if err := r.practice.KillNode(3); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	_, err = restoreNewest(t.Context(), r.connect(), out)
	if !errors.Is(err, ErrTooFewServers) || Explain(err).Exit != ExitGrid {
		t.Errorf("restoring from two of six: %v", err)
	}
	if left, _ := os.ReadDir(out); len(left) != 0 {
		t.Errorf("restoring from two of six wrote %v", left)
	}

	for i := range 4 {
		if err := r.practice.StartNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	r.config.Wait = 30 * time.Second
	restores("when the servers are back")
}

func TestStatusNamesEachServer(t *testing.T) {
	r := newRealGrid(t)
	g := r.connect()
	if err := g.WaitToWrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := g.Status(t.Context())
	if err != nil || s.Usable != 6 || len(s.Servers) != 6 || s.Needed != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, v := range s.Servers {
		if v.Name == "" || v.Operator != "practice" || !v.Connected || v.AvailableSpace <= 0 {
			t.Errorf("%+v", v)
		}
	}
}
