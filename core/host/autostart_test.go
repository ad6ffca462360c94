package host

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/internal/process"
)

// systemd writes down what it is asked. The real one needs a login.
func systemd(t *testing.T, script string) (asked func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	text := "#!/bin/sh\necho \"$@\" >> '" + log + "'\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return func() string {
		b, _ := os.ReadFile(log)
		os.Remove(log)
		return string(b)
	}
}

func TestAutostartArrangesAUnit(t *testing.T) {
	home := account(t, false, false)
	asked := systemd(t, "exit 0")
	h := opened(t, "storage")
	if err := h.Set("autostart", "on"); err != nil {
		t.Fatal(err)
	}
	if got := asked(); got != "--user show-environment\n" {
		t.Errorf("before it is enabled systemd was asked %q", got)
	}
	if err := h.unit("enable", "--now"); err != nil {
		t.Fatal(err)
	}
	if got := asked(); got != "--user daemon-reload\n--user enable --now hidden-backup-host@storage.service\n" {
		t.Errorf("systemd was asked %q", got)
	}
	unit := filepath.Join(home, ".config/systemd/user/hidden-backup-host@.service")
	text, err := os.ReadFile(unit)
	self, _ := os.Executable()
	if err != nil || !strings.Contains(string(text), "ExecStart=\""+self+"\" host run --service %i\n") {
		t.Errorf("the unit is %q, %v", text, err)
	}
	if err := h.unit("disable", "--now"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(unit); err == nil {
		t.Error("the unit is still there")
	}
}

func TestWithoutSystemdAutostartIsRefused(t *testing.T) {
	account(t, false, false)
	systemd(t, "echo 'Failed to connect to bus: No medium found' >&2; exit 1")
	h := opened(t, "storage")
	if err := h.Set("autostart", "on"); !errors.Is(err, ErrAutostart) || !strings.Contains(err.Error(), "No medium found") {
		t.Errorf("without a bus: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := h.Set("autostart", "on"); !errors.Is(err, ErrAutostart) {
		t.Errorf("without systemd: %v", err)
	}
	if s, err := h.Setting("autostart"); err != nil || s.Value != "off" {
		t.Errorf("it says %q, %v", s.Value, err)
	}
}

func TestPathsInUnitsAreQuoted(t *testing.T) {
	if got := unitQuoted(`/home/a b/100%/$x"\`); got != `"/home/a b/100%%/$$x\"\\"` {
		t.Error(got)
	}
}

func selfProcess(t *testing.T) process.Identity {
	t.Helper()
	id, err := process.Self()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func exitedProcess(t *testing.T) process.Identity {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := process.Identify(cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func jsonOf(d time.Duration) string {
	b, _ := json.Marshal(d)
	return string(b)
}
