package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// traveller is a person with a home, a manifest and a folder, who runs the
// program as processes of its own that can be interrupted and killed.
type traveller struct {
	t       *testing.T
	home    string
	runtime string
	env     []string // of her commands, beside the usual
}

func newTraveller(t *testing.T) *traveller {
	t.Helper()
	needGrid(t)
	runtime, err := os.MkdirTemp("/dev/shm", "hb")
	if err != nil {
		t.Fatal(err)
	}
	tr := &traveller{t: t, home: t.TempDir(), runtime: runtime}
	t.Cleanup(func() {
		defer os.RemoveAll(runtime)
		if left := traces(runtime); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	if err := os.Mkdir(filepath.Join(tr.home, "papers"), 0o700); err != nil {
		t.Fatal(err)
	}
	tr.mustRun("manifest", "create", "--practice", "--dir", practice.dir, "--folder", filepath.Join(tr.home, "papers"), "-o", tr.path("her.manifest"))
	return tr
}

func (tr *traveller) path(name string) string { return filepath.Join(tr.home, name) }

func (tr *traveller) write(name string, n int) {
	tr.t.Helper()
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(len(name)), name[0]}).Read(data)
	if err := os.WriteFile(filepath.Join(tr.home, "papers", name), data, 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

// command is one run of the program with the passphrase on descriptor 3.
func (tr *traveller) command(args ...string) *exec.Cmd {
	tr.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	fmt.Fprintln(w, "walrus lantern mountain gravel pliable outfit sandbox")
	w.Close()
	tr.t.Cleanup(func() { r.Close() })
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"hidden-backup"}, append(args, "--passphrase-fd", "3")...)
	cmd.ExtraFiles = []*os.File{r}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tr.home, "XDG_RUNTIME_DIR=" + tr.runtime, "HIDDEN_BACKUP_TAHOE=" + practice.tahoe, noSleep}
	cmd.Env = append(cmd.Env, tr.env...)
	return cmd
}

func (tr *traveller) mustRun(args ...string) (report map[string]any) {
	tr.t.Helper()
	cmd := tr.command(append(args, "--json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tr.t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil {
		tr.t.Fatalf("%v printed %q", args, lines)
	}
	return report
}

func (tr *traveller) backup(args ...string) map[string]any {
	tr.t.Helper()
	return tr.mustRun(append([]string{"backup", "-m", tr.path("her.manifest")}, args...)...)
}

// running is a run under way, or ended.
type running struct {
	tr     *traveller
	cmd    *exec.Cmd
	stderr bytes.Buffer
	read   chan struct{} // closed when all it prints was read

	mu     sync.Mutex
	moved  float64        // bytes that went through its gateway, as it last said
	report map[string]any // nil until it is printed
}

// start starts a run.
func (tr *traveller) start(args ...string) *running {
	tr.t.Helper()
	r := &running{tr: tr, cmd: tr.command(append(args, "--json")...), read: make(chan struct{})}
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { r.cmd.Process.Kill() })
	go func() {
		defer close(r.read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.line(lines.Bytes())
		}
	}()
	return r
}

func (r *running) line(b []byte) {
	var line map[string]any
	if json.Unmarshal(b, &line) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch line["type"] {
	case "progress":
		r.moved, _ = line["transferred"].(float64)
	case "report":
		r.report = line
	}
}

// slowBackup starts a backup that takes some seconds and returns when so many
// bytes have gone to the gateway.
func (tr *traveller) slowBackup(moved float64) *running {
	tr.t.Helper()
	r := tr.start("backup", "-m", tr.path("her.manifest"), "--limit-upload", "16M", "--uploads", "1")
	r.reach(moved)
	return r
}

// reach returns when so many bytes went through the gateway.
func (r *running) reach(moved float64) {
	r.tr.t.Helper()
	r.tr.eventually("so many bytes have moved", func() bool {
		select {
		case <-r.read:
			r.cmd.Wait()
			r.tr.t.Fatalf("%q ended early: %s", r.cmd.Args, &r.stderr)
		default:
		}
		return r.sofar() >= moved
	})
}

func (r *running) sofar() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved
}

// wait returns when the run has ended.
func (r *running) wait() error {
	<-r.read
	return r.cmd.Wait()
}

// kill ends the run as a power cut does, but for what it leaves running.
func (r *running) kill() {
	r.cmd.Process.Kill()
	r.wait()
	r.tr.eventually("the gateway is gone and its directory removed", func() bool {
		found, _ := filepath.Glob(filepath.Join(r.tr.runtime, "hidden-backup", "gateway-*"))
		return len(found) == 0
	})
}

// restored restores and compares everything with the folder.
func (tr *traveller) restored() {
	tr.t.Helper()
	out := tr.t.TempDir()
	tr.mustRun("restore", "-m", tr.path("her.manifest"), "--target", out)
	if diff, err := exec.Command("diff", "-r", tr.path("papers"), filepath.Join(out, "papers")).CombinedOutput(); err != nil {
		tr.t.Errorf("restored differently: %s", diff)
	}
}

func (tr *traveller) eventually(what string, ok func() bool) {
	tr.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tr.t.Fatalf("still not: %s; %v", what, traces(tr.runtime))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// gatewayOf finds the tahoe process below a run of ours.
func (tr *traveller) gatewayOf(parent int) int {
	tr.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		tr.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		args := strings.Split(string(line), "\x00")
		// The shell around it has the same arguments, after its own.
		if strings.Contains(string(line), tr.runtime) && strings.Contains(string(line), "run") && !strings.HasSuffix(args[0], "sh") {
			return pid
		}
	}
	tr.t.Fatalf("no gateway below process %d", parent)
	return 0
}
