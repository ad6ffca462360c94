package uitest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// BenchmarkVersusBareWindow: how long a person waits for the window, from the
// start of the process until it is mapped, beside a window with next to nothing
// in it. Both join the accessibility bus.
func BenchmarkVersusBareWindow(b *testing.B) {
	Require(b)
	dir := b.TempDir()
	programs := map[string]string{"ours": "../../cmd/hidden-backup-gtk", "bare": "./testdata/window"}
	for name, source := range programs {
		programs[name] = filepath.Join(dir, name)
		if out, err := exec.Command("go", "build", "-o", programs[name], source).CombinedOutput(); err != nil {
			b.Fatalf("building %s: %v\n%s", source, err, out)
		}
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.TempDir(), "XDG_RUNTIME_DIR=" + memory(b), "LANG=C.UTF-8",
		"GDK_BACKEND=x11", "GSETTINGS_BACKEND=memory", "GIO_USE_VFS=local", "GIO_USE_VOLUME_MONITOR=unix"}
	s := newScreen(b, 1024, 600, env)
	env = append(env, "DISPLAY="+s.display, "DBUS_SESSION_BUS_ADDRESS="+s.session)
	took := map[string][]time.Duration{}
	for range b.N {
		for range 11 {
			for _, name := range []string{"ours", "bare"} {
				took[name] = append(took[name], mapped(b, programs[name], env))
			}
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return float64(took[name][len(took[name])/2].Microseconds()) / 1000
	}
	b.ReportMetric(median("ours"), "ms")
	b.ReportMetric(median("bare"), "bare-ms")
	b.ReportMetric(median("ours")/median("bare"), "ratio")
}

// mapped starts the program, waits until its window is mapped, and ends it.
func mapped(b *testing.B, program string, env []string) time.Duration {
	b.Helper()
	cmd := exec.Command(program)
	cmd.Env, cmd.SysProcAttr = env, dieWithUs()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for time.Since(began) < 30*time.Second {
		find := exec.Command("xdotool", "search", "--onlyvisible", "--pid", strconv.Itoa(cmd.Process.Pid))
		find.Env = env
		if find.Run() == nil {
			return time.Since(began)
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.Fatalf("%s shows no window", program)
	return 0
}
