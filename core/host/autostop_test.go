package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor/tortest"
)

// arranged makes what “systemctl enable” would.
func arranged(t *testing.T, h *Host) (link string) {
	t.Helper()
	path, err := unitPath()
	if err != nil {
		t.Fatal(err)
	}
	link = filepath.Join(filepath.Dir(path), "default.target.wants", strings.Replace(unitFile, "@", "@"+h.Service.Name, 1))
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	return link
}

// running is a process that runs the service, as far as others can see. It
// ends when it is told to.
func running(t *testing.T, h *Host) *exec.Cmd {
	t.Helper()
	if err := h.inState(func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	lock, err := rundir.TryLock(filepath.Join(h.Directory(), lockName))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sleep", "100")
	cmd.ExtraFiles = []*os.File{lock}
	err = cmd.Start()
	lock.Close() // the process has it now
	if err != nil {
		t.Fatal(err)
	}
	go cmd.Wait()
	t.Cleanup(func() { cmd.Process.Kill() })
	id, err := process.Identify(cmd.Process.Pid)
	if err == nil {
		err = h.writeNote(note{Keeper: id})
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// Otherwise a service that its operator switched off comes back at the next login.
func TestAutostartEndsWhateverTheServiceDoes(t *testing.T) {
	for name, end := range map[string]func(*Host) error{
		"set off":   func(h *Host) error { return h.Set("autostart", "off") },
		"disabled":  (*Host).Disable,
		"forgotten": (*Host).Forget,
	} {
		t.Run(name, func(t *testing.T) {
			account(t, false, false)
			h := opened(t, "storage")
			if err := h.Set("place", "here"); err != nil {
				t.Fatal(err)
			}
			link := arranged(t, h)
			systemd(t, "[ \"$2\" != disable ] || rm '"+link+"'")
			if err := end(h); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(link); err == nil {
				t.Error("it starts again at the next login")
			}
			if _, err := os.Lstat(filepath.Dir(filepath.Dir(link)) + "/" + unitFile); err == nil {
				t.Error("the unit is left")
			}
		})
	}
}

func TestNothingIsAskedOfSystemdThatNeverHadIt(t *testing.T) {
	account(t, false, false)
	asked := systemd(t, "exit 1")
	h := opened(t, "storage")
	if err := h.Set("autostart", "off"); err != nil {
		t.Error(err)
	}
	if err := h.Disable(); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
	if got := asked(); got != "" {
		t.Errorf("systemd was asked %q", got)
	}
}

// systemd itself stops the process, and Disable did what it was told.
func TestDisableThroughSystemdSucceeds(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	link := arranged(t, h)
	p := running(t, h)
	systemd(t, "[ \"$2\" != disable ] || { rm '"+link+"'; kill "+jsonOf(time.Duration(p.Process.Pid))+"; }")
	if err := h.Disable(); err != nil {
		t.Error(err)
	}
	if h.Running() {
		t.Error("it still runs")
	}
	if err := h.Disable(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("disabled twice: %v", err)
	}
}

func TestDisableWithoutSystemdStopsAndSaysThatItReturns(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	arranged(t, h)
	running(t, h)
	systemd(t, "echo 'Failed to connect to bus' >&2; exit 1")
	if err := h.Disable(); !errors.Is(err, ErrReturns) || !strings.Contains(err.Error(), "Failed to connect to bus") {
		t.Errorf("Disable returned %v", err)
	}
	if h.Running() {
		t.Error("it still runs")
	}
	if err := h.Forget(); !errors.Is(err, ErrReturns) {
		t.Errorf("Forget returned %v", err)
	}
	if _, there := h.dir(); there {
		t.Error("what should be forgotten is kept")
	}
}

// What others stored in memory is not lost because a start failed.
func TestEnableThatFailsKeepsWhatWasThere(t *testing.T) {
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	account(t, false, false)
	h, err := Open(Config{Program: []string{"/bin/false"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Set("persistence", "off"); err != nil {
		t.Fatal(err)
	}
	share := filepath.Join(h.Directory(), nodeName, "storage", "shares", "aa", "0")
	if err := errors.Join(os.MkdirAll(filepath.Dir(share), 0o700), os.WriteFile(share, []byte("share"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := h.Enable(ctx, false, 10*time.Second); !errors.Is(err, ErrEarly) {
		t.Errorf("Enable returned %v", err)
	}
	if _, err := os.Stat(share); err != nil {
		t.Error(err)
	}
}
