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
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core"
)

// traveller is a person with a home, a manifest and a folder, who runs the
// program as processes of its own that can be interrupted and killed.
type traveller struct {
	t       *testing.T
	home    string
	runtime string
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
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tr.home, "XDG_RUNTIME_DIR=" + tr.runtime, "HIDDEN_BACKUP_TAHOE=" + practice.tahoe}
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

// slowBackup starts a backup that takes some seconds and returns when moved
// bytes have gone to the gateway.
func (tr *traveller) slowBackup(moved float64) (*exec.Cmd, *bytes.Buffer) {
	tr.t.Helper()
	return tr.slow(moved, "backup", "-m", tr.path("her.manifest"), "--limit-upload", "8M", "--uploads", "1")
}

// slow starts a run and returns when moved bytes went through the gateway.
func (tr *traveller) slow(moved float64, args ...string) (*exec.Cmd, *bytes.Buffer) {
	tr.t.Helper()
	cmd := tr.command(append(args, "--json")...)
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Transferred float64 }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Transferred >= moved {
			go func() { // keep reading, so that it never waits for us
				for lines.Scan() {
				}
			}()
			return cmd, stderr
		}
	}
	cmd.Wait()
	tr.t.Fatalf("%v ended early: %s", args, stderr)
	return nil, nil
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
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tr.t.Fatalf("still not: %s; %v", what, traces(tr.runtime))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestInterruptedBackupSaysSoAndContinues(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 40<<20)
	cmd, stderr := tr.slowBackup(20 << 20)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != core.ExitStopped || !strings.Contains(stderr.String(), "Nothing was lost") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if left := traces(tr.runtime); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	report := tr.backup()
	if report["resumed_packs"] != 1.0 || report["sent"].(float64) > 30<<20 {
		t.Errorf("the next run used %v packs of the first and sent %v bytes", report["resumed_packs"], report["sent"])
	}
	tr.restored()
}

func TestKilledBackupLeavesNothingBehindAndTheNextRunWorks(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 30<<20)
	cmd, _ := tr.slowBackup(4 << 20)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	tr.eventually("the gateway is gone and its directory removed", func() bool {
		found, _ := filepath.Glob(filepath.Join(tr.runtime, "hidden-backup", "gateway-*"))
		return len(found) == 0
	})
	tr.backup()
	tr.restored()
}

func TestBackupSurvivesTheDeathOfItsGateway(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 30<<20)
	cmd, stderr := tr.slowBackup(4 << 20)
	pid := tr.gatewayOf(cmd.Process.Pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the backup ended with %v: %s", err, stderr)
	}
	tr.restored()
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

func TestInterruptedRestoreLeavesNoHalfFileAndContinues(t *testing.T) {
	tr := newTraveller(t)
	for i := range 12 {
		tr.write(string(rune('a'+i))+"film", 8<<20)
	}
	tr.backup()
	out := t.TempDir()
	cmd, stderr := tr.slow(30<<20, "restore", "-m", tr.path("her.manifest"), "--target", out, "--limit-download", "16M", "--downloads", "1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != core.ExitStopped {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	entries, err := os.ReadDir(filepath.Join(out, "papers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Size() != 8<<20 || !strings.HasSuffix(e.Name(), "film") {
			t.Errorf("half a file is left: %s, %v", e.Name(), err)
		}
	}
	report := tr.mustRun("restore", "-m", tr.path("her.manifest"), "--target", out)
	if report["files"].(float64)+report["present"].(float64) != 12 || report["problem_count"] != 0.0 {
		t.Errorf("the next run restored %v and found %v", report["files"], report["present"])
	}
	if diff, err := exec.Command("diff", "-r", tr.path("papers"), filepath.Join(out, "papers")).CombinedOutput(); err != nil {
		t.Errorf("restored differently: %s", diff)
	}
}

func TestPassphraseAndSecretsAreInNoArgumentAndNoEnvironment(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 24<<20)
	cmd, _ := tr.slowBackup(2 << 20)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entries {
		dir := filepath.Join("/proc", e.Name())
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if !bytes.Contains(append(args, env...), []byte(tr.runtime)) {
			continue
		}
		seen++
		for _, secret := range []string{"walrus", "URI:", "pb://"} {
			if bytes.Contains(args, []byte(secret)) || bytes.Contains(env, []byte(secret)) {
				t.Errorf("process %s shows %q: %q", e.Name(), secret, args)
			}
		}
	}
	if seen < 2 {
		t.Errorf("only %d processes were looked at", seen)
	}
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
}

func TestFullDiskAtTheTargetIsSaidBeforeAnythingIsWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	tr := newTraveller(t)
	tr.write("film", 20<<20)
	tr.backup()
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("mounting is not possible here: %v", err)
	}
	defer syscall.Unmount(small, syscall.MNT_DETACH)
	cmd := tr.command("restore", "-m", tr.path("her.manifest"), "--target", small)
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != core.ExitFailed || !strings.Contains(string(out), "not enough free space") {
		t.Errorf("exit code %d: %s", cmd.ProcessState.ExitCode(), out)
	}
	if left, _ := filepath.Glob(filepath.Join(small, "*", "*")); len(left) != 0 {
		t.Errorf("written: %v", left)
	}
}
