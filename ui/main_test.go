package ui_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core"
	"hiddenbackup/core/host"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tails"
	"hiddenbackup/ui"
	"hiddenbackup/ui/uitest"
)

// program is the name under which this test binary is the window itself: with a
// cheap key derivation, and what TAILS_ROOT names instead of a Tails system.
const program = "hidden-backup-gtk"

// practice is the practice grid that all tests of this package share.
var practice struct {
	dir   string
	tahoe string
	grid  *node.Practice
	err   error
}

func TestMain(m *testing.M) {
	manifest.SetTestProfile(nil)
	isHelper := len(os.Args) == 2 && (os.Args[1] == core.KeeperCommand || os.Args[1] == core.RehearsalCommand)
	isHost := len(os.Args) == 5 && os.Args[1] == "host"
	if filepath.Base(os.Args[0]) == program || isHelper || isHost {
		window()
	}
	if filepath.Base(os.Args[0]) == desktop {
		playDesktop()
	}
	os.Exit(withGrid(m))
}

// window is what cmd/hidden-backup-gtk does.
func window() {
	runtime.LockOSThread()
	if root := os.Getenv("TAILS_ROOT"); root != "" {
		tails.SetTestSystem(nil, root, "")
	}
	if len(os.Args) == 5 && os.Args[1] == "host" {
		answer(func(ctx context.Context) error {
			h, err := host.Open(host.Config{Service: os.Args[4]})
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
			defer stop()
			return h.Run(ctx)
		})
	}
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case core.KeeperCommand:
			answer(core.RunKeeper)
		case core.RehearsalCommand:
			answer(core.RunRehearsal)
		}
	}
	os.Exit(ui.Main(os.Args))
}

func answer(work func(context.Context) error) {
	if err := work(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func withGrid(m *testing.M) int {
	if uitest.Available() != nil {
		practice.err = errors.New("there is no window to use it")
		return m.Run()
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
	return m.Run()
}

// needGrid skips a test where there is no Tahoe, and fails it where there has
// to be one.
func needGrid(t *testing.T) {
	t.Helper()
	uitest.Require(t)
	switch {
	case practice.err == nil:
	case os.Getenv("HIDDEN_BACKUP_REQUIRE_GRID") == "1":
		t.Fatalf("no practice grid: %v", practice.err)
	default:
		t.Skipf("no practice grid: %v", practice.err)
	}
}

// start opens the window for somebody whose home that is.
func start(t *testing.T, o uitest.Options) *uitest.Window {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(self), "locale")); o.Locale != "" && err != nil {
		makeCatalogue(t, filepath.Dir(self), o.Locale)
	}
	o.Env = append(o.Env, "HIDDEN_BACKUP_TAHOE="+practice.tahoe)
	return uitest.Start(t, self, o)
}

// makeCatalogue makes a translation of a single message, where the window looks
// for translations: without one, GTK stays with English and its direction.
func makeCatalogue(t *testing.T, beside, locale string) {
	t.Helper()
	language, _, _ := strings.Cut(locale, "_")
	dir := filepath.Join(beside, "locale", language, "LC_MESSAGES")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Join(beside, "locale")) })
	cmd := exec.Command("msgfmt", "-o", filepath.Join(dir, "hidden-backup.mo"), "-")
	cmd.Stdin = strings.NewReader("msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\nmsgid \"made up\"\nmsgstr \"x\"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("msgfmt (package gettext): %v: %s", err, out)
	}
}
