package uitest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how the screen and the person's settings are. The zero value is
// the smallest screen we support, in English.
type Options struct {
	Width, Height int     // 0: 1024 and 600
	TextScale     float64 // 0: 1
	Dark          bool
	HighContrast  bool
	Locale        string // "ar_EG"; empty: English
	// Home and Runtime are made if empty. Runtime lies in memory.
	Home, Runtime string
	Env           []string // more of it
	Args          []string // of the program
}

// Window is a running program and its screen.
type Window struct {
	Home, Runtime string
	// Patience is how long a call waits for what it needs; it bounds a broken
	// test and costs a good one nothing.
	Patience time.Duration

	t      testing.TB
	o      Options
	screen *screen
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the program has ended
	err    error         // how; after ended
	stderr buffer
	shots  int
}

// Start starts the program, an absolute path, under the name of a window
// program and returns when its window shows.
func Start(t testing.TB, program string, o Options) *Window {
	t.Helper()
	Require(t)
	if o.Width == 0 {
		o.Width, o.Height = 1024, 600
	}
	if o.TextScale == 0 {
		o.TextScale = 1
	}
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	if o.Runtime == "" {
		o.Runtime = memory(t)
	}
	writeSettings(t, o)
	w := &Window{Home: o.Home, Runtime: o.Runtime, Patience: 2 * time.Minute, t: t, o: o, ended: make(chan struct{})}
	env := append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + o.Home, "XDG_RUNTIME_DIR=" + o.Runtime, "TMPDIR=" + os.TempDir(),
		"GDK_BACKEND=x11", "GSETTINGS_BACKEND=memory", "GIO_USE_VFS=local", "GIO_USE_VOLUME_MONITOR=unix",
		// X's own resources would win over a setting of the resolution.
		fmt.Sprintf("GDK_DPI_SCALE=%g", o.TextScale),
	}, o.Env...)
	if o.Locale == "" {
		env = append(env, "LANG=C.UTF-8")
	} else {
		env = append(env, "LANG="+o.Locale+".UTF-8", "LOCPATH="+makeLocale(t, o.Locale))
	}
	w.screen = newScreen(t, o.Width, o.Height, env)
	w.cmd = exec.Command(program)
	w.cmd.Args = append([]string{"hidden-backup-gtk"}, o.Args...)
	w.cmd.Env = append(env, "DISPLAY="+w.screen.display, "DBUS_SESSION_BUS_ADDRESS="+w.screen.session)
	w.cmd.Stdout, w.cmd.Stderr = &w.stderr, &w.stderr
	t.Cleanup(w.noWarnings)
	startWindow(t, w)
	t.Cleanup(w.explainFailure)
	w.eventually("the window shows", func() bool { return w.frame() != nil })
	return w
}

// startWindow is start for a program whose end is watched.
func startWindow(t testing.TB, w *Window) {
	t.Helper()
	w.cmd.SysProcAttr = dieWithUs()
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		w.err = w.cmd.Wait()
		close(w.ended)
	}()
	t.Cleanup(w.stop)
}

// Kill ends the program as a power cut does.
func (w *Window) Kill() {
	w.cmd.Process.Kill()
	<-w.ended
}

// WaitEnd waits until the program has ended by itself and returns how.
func (w *Window) WaitEnd() error {
	w.t.Helper()
	w.await("the program has ended", func() bool {
		select {
		case <-w.ended:
			return true
		default:
			return false
		}
	})
	return w.err
}

// memory is a directory that is in memory and ours alone, with a path short
// enough for sockets.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// writeSettings writes what a person would choose in the desktop's settings.
// Animations would be caught half-way by pictures.
func writeSettings(t testing.TB, o Options) {
	t.Helper()
	text := "[Settings]\ngtk-enable-animations=0\ngtk-cursor-blink=0\n"
	if o.Dark {
		text += "gtk-application-prefer-dark-theme=1\n"
	}
	if o.HighContrast {
		text += "gtk-theme-name=HighContrast\n"
	}
	dir := filepath.Join(o.Home, ".config", "gtk-3.0")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "settings.ini"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// warning is how GLib prints what a program did wrong.
var warning = regexp.MustCompile(`-(WARNING|CRITICAL|ERROR)( \*\*)?:|WARNING: DATA RACE|^panic: |^fatal error: `)

// harmless are warnings about the machine the test runs on, with the reason.
var harmless = []string{
	"Unable to create a DBus proxy for GnomeScreensaver", // no desktop session around the window
	"unable to send notifications through",               // nor anybody who shows them, but for Notifications
}

// noWarnings fails the test for what the program complained about.
func (w *Window) noWarnings() {
	for line := range strings.Lines(w.stderr.String()) {
		if warning.MatchString(line) && !slices.ContainsFunc(harmless, func(h string) bool { return strings.Contains(line, h) }) {
			w.t.Errorf("the program warned: %s", strings.TrimSpace(line))
		}
	}
}

// Output is what the program printed so far.
func (w *Window) Output() string { return w.stderr.String() }

// buffer is a bytes.Buffer for a process that writes while we read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
