package uitest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// startTime bounds what takes milliseconds when all is well.
const startTime = 30 * time.Second

// screen is a display with its buses, for one program.
type screen struct {
	display string // ":7"
	session string // address of the session bus
	a11y    *dbus.Conn
}

func newScreen(t testing.TB, width, height int, env []string) *screen {
	t.Helper()
	s := &screen{}
	s.display = ":" + startDisplay(t, width, height)
	s.session = startBus(t, env)
	bus := dial(t, s.session)
	// Without this, programs do not join the accessibility bus.
	status := bus.Object("org.a11y.Bus", "/org/a11y/bus")
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	err := status.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Set", 0, "org.a11y.Status", "IsEnabled", dbus.MakeVariant(true)).Err
	if err != nil {
		t.Fatalf("switching accessibility on: %v", err)
	}
	var address string
	if err := status.CallWithContext(ctx, "org.a11y.Bus.GetAddress", 0).Store(&address); err != nil {
		t.Fatalf("asking for the accessibility bus: %v", err)
	}
	s.a11y = dial(t, address)
	return s
}

// startDisplay starts an X server; it chooses the number of its display.
func startDisplay(t testing.TB, width, height int) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	start(t, cmd)
	w.Close()
	return firstLine(t, r, "Xvfb")
}

// startBus starts a session bus. What it activates gets env.
func startBus(t testing.TB, env []string) string {
	t.Helper()
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1")
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	return firstLine(t, out.(*os.File), "dbus-daemon")
}

func firstLine(t testing.TB, r *os.File, who string) string {
	t.Helper()
	r.SetReadDeadline(time.Now().Add(startTime))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not start: %v", who, err)
	}
	return strings.TrimSpace(line)
}

// start starts a process that ends with the test, and with this process should
// that be killed.
func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		cmd.Wait()
	})
}

func dial(t testing.TB, address string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatalf("connecting to a bus: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// makeLocale compiles a locale, "ar_EG", into a directory for LOCPATH. The
// system may have none.
func makeLocale(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "localedef", "-i", name, "-f", "UTF-8", filepath.Join(dir, name+".UTF-8")).CombinedOutput()
	if err != nil {
		t.Fatalf("making the locale %s: %v\n%s", name, err, out)
	}
	return dir
}
