package uitest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// stop ends the program. What it started ends with it; its directory in memory
// is gone then.
func (w *Window) stop() {
	w.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(20*time.Second, func() { w.cmd.Process.Kill() })
	defer kill.Stop()
	<-w.ended
	deadline := time.Now().Add(30 * time.Second)
	for len(w.Traces()) > 0 {
		if time.Now().After(deadline) {
			w.t.Errorf("left behind: %v", w.Traces())
			return
		}
		time.Sleep(poll)
	}
}

// Traces are what a gateway or a rehearsal has in memory.
func (w *Window) Traces() (found []string) {
	for _, pattern := range []string{"gateway-*", "vault-*", "rehears*"} {
		names, _ := filepath.Glob(filepath.Join(w.Runtime, "hidden-backup", pattern))
		found = append(found, names...)
	}
	return found
}

// Tree is what is shown, as a text for people who look for a fault.
func (w *Window) Tree() string {
	var b strings.Builder
	for _, x := range w.Shown() {
		a, _ := x.extents()
		fmt.Fprintf(&b, "%s%d %q", strings.Repeat("  ", x.depth), x.Role, x.Name)
		if text := x.text(); text != x.Name {
			fmt.Fprintf(&b, " %.100q", text)
		}
		for bit, word := range map[int]string{stateChecked: "checked", stateFocused: "focused"} {
			if x.is(bit) {
				b.WriteString(" " + word)
			}
		}
		if !x.Sensitive() {
			b.WriteString(" greyed")
		}
		fmt.Fprintf(&b, " %dx%d+%d+%d\n", a.Width, a.Height, a.X, a.Y)
	}
	return b.String()
}

// Screenshot writes a picture of the screen.
func (w *Window) Screenshot(file string) {
	w.t.Helper()
	w.tool("import", "-window", "root", file)
}

// Shot keeps a picture for people to look at: below the directory that
// HIDDEN_BACKUP_SCREENSHOTS names, numbered in the order of the test; without
// it, none.
func (w *Window) Shot(name string) {
	w.t.Helper()
	dir := os.Getenv("HIDDEN_BACKUP_SCREENSHOTS")
	if dir == "" {
		return
	}
	w.shots++
	w.Screenshot(filepath.Join(dir, fmt.Sprintf("%s-%02d-%s.png", strings.ReplaceAll(w.t.Name(), "/", "-"), w.shots, name)))
}

// explainFailure says what was on the screen when the test failed.
func (w *Window) explainFailure() {
	if !w.t.Failed() {
		return
	}
	w.t.Logf("the program printed:\n%s", w.Output())
	dir := os.Getenv("HIDDEN_BACKUP_SCREENSHOTS")
	if dir == "" {
		dir = os.TempDir()
	}
	file := filepath.Join(dir, "failed-"+strings.ReplaceAll(w.t.Name(), "/", "-")+".png")
	if err := w.onDisplay("import", "-window", "root", file); err == nil {
		w.t.Logf("the screen: %s", file)
	}
	w.t.Logf("the window:\n%s", w.Tree())
}
