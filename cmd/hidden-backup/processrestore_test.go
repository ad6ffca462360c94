package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hiddenbackup/core"
)

func TestInterruptedRestoreLeavesNoHalfFileAndContinues(t *testing.T) {
	tr := newTraveller(t)
	for i := range 12 {
		tr.write(string(rune('a'+i))+"film", 4<<20)
	}
	tr.backup()
	out := t.TempDir()
	run := tr.start("restore", "-m", tr.path("her.manifest"), "--target", out, "--limit-download", "16M", "--downloads", "1")
	run.reach(30 << 20)
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	run.wait()
	if code := run.cmd.ProcessState.ExitCode(); code != core.ExitStopped {
		t.Errorf("exit code %d, %s", code, &run.stderr)
	}
	entries, err := os.ReadDir(filepath.Join(out, "papers"))
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".hidden-backup-part-") {
			continue
		}
		whole++
		if info, err := e.Info(); err != nil || info.Size() != 4<<20 || !strings.HasSuffix(e.Name(), "film") {
			t.Errorf("half a file is left: %s, %v", e.Name(), err)
		}
	}
	if whole == 0 || len(entries)-whole > 3 {
		t.Errorf("%d files have their names, %d are unfinished", whole, len(entries)-whole)
	}
	tr.fetchedOnce(run, out, 48<<20)
}

func TestKilledRestoreOfOneLargeFileContinues(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 48<<20)
	tr.backup()
	out := t.TempDir()
	run := tr.start("restore", "-m", tr.path("her.manifest"), "--target", out, "--limit-download", "16M")
	run.reach(30 << 20)
	run.kill()
	if _, err := os.Lstat(filepath.Join(out, "papers", "film")); !os.IsNotExist(err) {
		t.Errorf("half a file has its name: %v", err)
	}
	tr.fetchedOnce(run, out, 48<<20)
}

// fetchedOnce runs the restore that follows one that was cut off. What the two
// fetched together is the content, the listing, and a few chunks that were on
// their way: far less than starting over.
func (tr *traveller) fetchedOnce(first *running, out string, content float64) {
	tr.t.Helper()
	report := tr.mustRun("restore", "-m", tr.path("her.manifest"), "--target", out)
	sum := first.sofar() + report["fetched"].(float64)
	tr.t.Logf("%.1f MiB fetched, then %.1f: %.1f repeated", first.sofar()/(1<<20), report["fetched"].(float64)/(1<<20), (sum-content)/(1<<20))
	if sum > content+24<<20 || report["problem_count"] != 0.0 {
		tr.t.Errorf("%.0f bytes were fetched for %.0f, %v problems", sum, content, report["problem_count"])
	}
	if diff, err := exec.Command("diff", "-r", tr.path("papers"), filepath.Join(out, "papers")).CombinedOutput(); err != nil {
		tr.t.Errorf("restored differently: %s", diff)
	}
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
