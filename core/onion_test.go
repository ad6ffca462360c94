package core

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tortest"
)

// newOnionGrid is newRealGrid behind onion services of a private Tor network,
// every second one locked, with an introducer behind one, too.
func newOnionGrid(t *testing.T) *realGrid {
	t.Helper()
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	manifest.SetTestProfile(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := filepath.Join(nodetest.Dir(t), "grid")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	onion, closeNetwork, err := connector{}.Onion(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNetwork() })
	practice, err := node.StartPractice(ctx, node.PracticeConfig{Dir: dir, Nodes: 6, Needed: 3, Onions: true, Onion: onion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { practice.Close() })
	t.Logf("the onion grid is up after %v", time.Since(began).Round(time.Second))
	r := &realGrid{t: t, practice: practice, config: Config{Directory: nodetest.Dir(t), AllowDisk: true, Wait: time.Minute}}
	if r.config.Tor, err = ParseTor("practice:" + dir); err != nil {
		t.Fatal(err)
	}
	grid, err := PracticeGrid(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.manifest, err = CreateManifest(ctx, r.config, Draft{Name: "test", Grid: grid}, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// The onion grid, as a person meets it: everything comes back; the introducer
// may be gone; a locked server opens to those with its key only; tor may die in
// the middle.
func TestOnionGrid(t *testing.T) {
	r := newOnionGrid(t)
	source := t.TempDir()
	treetest.Nasty(t, source)
	g := r.connect()
	if _, err := g.Backup(t.Context(), r.config, r.plan(source), nil); err != nil {
		t.Fatal(err)
	}
	r.restoresThroughTor("with the introducer", source)
	if s := r.through(t, func(*manifest.Grid) {}); s.Usable != 6 {
		t.Errorf("with all keys %d of %d servers are usable", s.Usable, len(s.Servers))
	}

	t.Run("announced", r.announced)
	t.Run("strangers", r.strangers)
	r.practice.StopIntroducer()
	r.restoresThroughTor("with no introducer", source)

	t.Run("tor dies", func(t *testing.T) { r.torDies(t, g) })
	t.Run("tor stays away", func(t *testing.T) { r.torStaysAway(t, g, source) })
}

func (r *realGrid) restoresThroughTor(when, source string) {
	r.t.Helper()
	g := r.connect()
	defer g.Close()
	out := r.t.TempDir()
	report, err := restoreNewest(r.t.Context(), g, out)
	if err != nil || report.ProblemCount != 0 || report.WarningCount != 0 {
		r.t.Fatalf("%s: %v, problems %v, warnings %v", when, err, report.Problems, report.Warnings)
	}
	treetest.Same(r.t, source, filepath.Join(out, "papers"))
}

// through is a grid opened with a changed description.
func (r *realGrid) through(t *testing.T, change func(*manifest.Grid)) Status {
	t.Helper()
	reader, err := r.manifest.Reader()
	if err != nil {
		t.Fatal(err)
	}
	reader.Grid.Servers = slices.Clone(reader.Grid.Servers)
	change(&reader.Grid)
	access, err := NewAccess(&manifest.Opened{Power: manifest.PowerReader, Reader: reader})
	if err != nil {
		t.Fatal(err)
	}
	g, err := Connect(t.Context(), r.config, access, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for last := (Status{}); ; {
		s, err := g.Status(ctx)
		if err != nil {
			t.Fatalf("%v; last seen: %+v", err, last)
		}
		trying := false
		for _, v := range s.Servers {
			trying = trying || !v.Connected && !strings.Contains(v.Text, "last attempt")
		}
		if len(s.Servers) == 6 && !trying {
			return s
		}
		last = s
		select {
		case <-ctx.Done():
			t.Fatalf("%v; last seen: %+v", context.Cause(ctx), last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Without pinned servers the introducer behind its onion service tells of them.
func (r *realGrid) announced(t *testing.T) {
	if s := r.through(t, func(g *manifest.Grid) { g.Servers = nil }); s.Usable < 3 {
		t.Errorf("%d servers are usable", s.Usable)
	}
}

func (r *realGrid) strangers(t *testing.T) {
	s := r.through(t, func(g *manifest.Grid) {
		for i := range g.Servers {
			g.Servers[i].OnionKey = manifest.Secret{}
		}
	})
	for i, v := range r.manifest.Grid.Servers {
		for _, seen := range s.Servers {
			if seen.Name == v.Nickname && seen.Connected && !v.OnionKey.IsZero() {
				t.Errorf("server %d let a stranger in", i+1)
			}
		}
	}
}

// torDies kills our tor while packs go up. The backup goes on by itself.
func (r *realGrid) torDies(t *testing.T, g *Grid) {
	source := t.TempDir()
	for i := range 12 {
		content := make([]byte, 4<<20)
		rand.Read(content)
		if err := os.WriteFile(filepath.Join(source, strconv.Itoa(i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tracker := new(progress.Tracker)
	done := make(chan error, 1)
	go func() {
		_, err := g.Backup(t.Context(), r.config, BackupPlan{Folders: []manifest.Folder{{Name: "films", Path: source}}}, tracker)
		done <- err
	}()
	for tracker.Status().Moved < 8<<20 {
		select {
		case err := <-done:
			t.Fatalf("it ended before a pack was stored: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	killTor(t, r.config.Directory)
	if err := <-done; err != nil {
		t.Fatalf("after tor died: %v: %+v", err, Explain(err))
	}
}

// torStaysAway: the sentence names tor and not the servers that seem to be gone.
func (r *realGrid) torStaysAway(t *testing.T, g *Grid, source string) {
	t.Setenv(tor.TorVariable, "/nonexistent/tor")
	g.wait = 5 * time.Second
	killTor(t, r.config.Directory)
	for s := (Status{Usable: 6}); s.Usable > 0; time.Sleep(20 * time.Millisecond) {
		var err error
		if s, err = g.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := g.Backup(t.Context(), r.config, r.plan(source), nil)
	if m := Explain(err); !(errors.Is(err, tor.ErrEnded) || errors.Is(err, tor.ErrNoTor)) || m.Exit != ExitGrid || !strings.Contains(strings.ToLower(m.Title), "tor") {
		t.Errorf("%v is explained as %+v", err, m)
	}
}

// killTor kills the tor whose directory is below dir.
func killTor(t *testing.T, dir string) {
	t.Helper()
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		line, _ := os.ReadFile(name)
		var pid int
		fmt.Sscanf(name, "/proc/%d/cmdline", &pid)
		program, _, _ := strings.Cut(string(line), "\x00")
		if filepath.Base(program) == "tor" && strings.Contains(string(line), dir+"/") {
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Fatal("no tor of ours runs")
}
