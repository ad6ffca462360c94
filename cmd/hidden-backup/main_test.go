package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor/netcage"
)

// practice is the practice grid that all tests of this package share, and
// tahoe the program it runs.
var practice struct {
	dir   string
	tahoe string
	grid  *node.Practice
	err   error
}

// noSleep is for commands: with the race detector each would sleep a second
// before it ends.
const noSleep = "GORACE=atexit_sleep_ms=0"

// runner starts the grid around the tests, not in the commands that testscript
// makes of this very binary.
type runner struct{ m *testing.M }

func (r runner) Run() int {
	if netcage.Inside() {
		return r.m.Run() // for one test, with a grid of its own
	}
	dir, err := os.MkdirTemp("", "practice")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	practice.dir = dir
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if practice.tahoe, practice.err = node.FindTahoe(); practice.err == nil {
		practice.grid, practice.err = node.StartPractice(ctx, node.PracticeConfig{Dir: dir, Nodes: 6, Needed: 3})
	}
	if practice.err == nil {
		defer practice.grid.Close()
	}
	return r.m.Run()
}

func TestMain(m *testing.M) {
	manifest.SetTestProfile(nil)
	if len(os.Args) == 2 && os.Args[1] == core.KeeperCommand { // of a command that was started as this binary
		main()
		return
	}
	testscript.Main(runner{m}, map[string]func(){"hidden-backup": main})
}

// needGrid skips a test where there is no Tahoe, and fails it where there has
// to be one.
func needGrid(t *testing.T) {
	t.Helper()
	switch {
	case practice.err == nil:
	case os.Getenv("HIDDEN_BACKUP_REQUIRE_GRID") == "1":
		t.Fatalf("no practice grid: %v", practice.err)
	default:
		t.Skipf("no practice grid: %v", practice.err)
	}
}

func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

func TestGridScripts(t *testing.T) {
	needGrid(t)
	runScripts(t, "testdata/grid")
}

// runScripts gives each script a person's shell: an empty home, and a runtime
// directory of its own in which nothing may be left at the end.
func runScripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			runtime, err := os.MkdirTemp("/dev/shm", "hb")
			if err != nil {
				return err
			}
			e.Defer(func() {
				defer os.RemoveAll(runtime)
				if left := traces(runtime); len(left) > 0 {
					stopKeepers(runtime)
					e.T().Fatal("left behind: ", left)
				}
			})
			e.Vars = append(e.Vars, "HOME="+filepath.Join(e.WorkDir, "home"), "XDG_RUNTIME_DIR="+runtime,
				"PRACTICE="+practice.dir, "HIDDEN_BACKUP_TAHOE="+practice.tahoe, noSleep)
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
	})
}

// traces lists what a gateway or its keeper has in a runtime directory.
func traces(runtime string) (found []string) {
	for _, pattern := range []string{"gateway-*", "keeper-*", "vault-*", "rehears*"} {
		names, _ := filepath.Glob(filepath.Join(runtime, "hidden-backup", pattern))
		found = append(found, names...)
	}
	return found
}

// stopKeepers ends what a failed script left running, by process number.
func stopKeepers(runtime string) {
	notes, _ := filepath.Glob(filepath.Join(runtime, "hidden-backup", "keeper-*.json"))
	for _, name := range notes {
		var note struct{ Keeper struct{ PID int } }
		if b, err := os.ReadFile(name); err == nil && json.Unmarshal(b, &note) == nil && note.Keeper.PID > 1 {
			syscall.Kill(note.Keeper.PID, syscall.SIGTERM)
		}
	}
}
