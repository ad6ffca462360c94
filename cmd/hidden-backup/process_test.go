package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core"
)

// How much upload may be repeated, with what is not content (seals, listings,
// checkpoints, the snapshot): after a kill what was not noted yet, and after a
// stop, or when only the gateway ended, the pack that was on its way.
const (
	repeatable = 64<<20 + 2<<20
	onePack    = 16<<20 + 2<<20
)

// sentOnce runs the backup that follows one that was cut off, and fails the
// test if the two together sent more than the content and what may be repeated.
func (tr *traveller) sentOnce(first, content, repeats float64) {
	tr.t.Helper()
	report := tr.backup()
	sum := first + report["sent"].(float64)
	tr.t.Logf("%.1f MiB moved, then %.1f sent with %v packs used again: %.1f repeated",
		first/(1<<20), report["sent"].(float64)/(1<<20), report["resumed_packs"], (sum-content)/(1<<20))
	if sum > content+repeats || report["resumed_packs"].(float64) == 0 {
		tr.t.Errorf("%.0f bytes were sent for %.0f, %v packs of the first run were used again", sum, content, report["resumed_packs"])
	}
	if left := traces(tr.runtime); len(left) > 0 {
		tr.t.Errorf("left behind: %v", left)
	}
	tr.restored()
}

func TestInterruptedBackupSaysSoAndContinues(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 36<<20)
	run := tr.slowBackup(18 << 20)
	if err := run.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	run.wait()
	if code := run.cmd.ProcessState.ExitCode(); code != core.ExitStopped || !strings.Contains(run.stderr.String(), "Nothing was lost") {
		t.Errorf("exit code %d, %q", code, &run.stderr)
	}
	if left := traces(tr.runtime); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	tr.sentOnce(run.sofar(), 36<<20, onePack)
}

// The fifth pack is under way, and what came before is in the checkpoint.
func TestKilledBackupLeavesNothingBehindAndContinues(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 96<<20)
	run := tr.slowBackup(66 << 20)
	run.kill()
	tr.sentOnce(run.sofar(), 96<<20, repeatable)
}

func TestBackupSurvivesTheDeathOfItsGateway(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 36<<20)
	run := tr.slowBackup(18 << 20)
	if err := syscall.Kill(tr.gatewayOf(run.cmd.Process.Pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := run.wait(); err != nil {
		t.Errorf("the backup ended with %v: %s", err, &run.stderr)
	}
	t.Logf("%.1f MiB moved for 36", run.sofar()/(1<<20))
	if run.sofar() > 36<<20+onePack {
		t.Errorf("%.0f bytes were sent", run.sofar())
	}
	tr.restored()
}

// With the servers gone the run can note nothing any more: what counts is what
// it has noted before. It would wait for them, longer than a test can, so it is
// stopped.
func TestBackupContinuesOnceTheServersAreBack(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 96<<20)
	run := tr.slowBackup(66 << 20)
	sent := run.sofar()
	back := takeServers(t, 4)
	if err := run.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	back()
	run.wait()
	if code := run.cmd.ProcessState.ExitCode(); code != core.ExitStopped {
		t.Errorf("exit code %d, %q", code, &run.stderr)
	}
	tr.sentOnce(sent, 96<<20, repeatable)
}

// takeServers ends n storage nodes of the grid that all tests share. They are
// back when the returned function is called, and at the end of the test.
func takeServers(t *testing.T, n int) (back func()) {
	t.Helper()
	gone := 0
	back = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var g errgroup.Group
		for ; gone > 0; gone-- {
			i := gone - 1
			g.Go(func() error { return practice.grid.StartNode(ctx, i) })
		}
		if err := g.Wait(); err != nil {
			t.Errorf("the grid is not what it was: %v", err)
		}
	}
	t.Cleanup(back)
	for ; gone < n; gone++ {
		if err := practice.grid.KillNode(gone); err != nil {
			t.Fatal(err)
		}
	}
	return back
}

func TestPassphraseAndSecretsAreInNoArgumentAndNoEnvironment(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 24<<20)
	run := tr.slowBackup(2 << 20)
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
	run.cmd.Process.Signal(syscall.SIGINT)
	run.wait()
}
