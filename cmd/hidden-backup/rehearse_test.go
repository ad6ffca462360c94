package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hiddenbackup/core"
)

// slowRehearsal starts one that takes some seconds and returns in the middle.
func (tr *traveller) slowRehearsal() *running {
	tr.t.Helper()
	r := tr.start("rehearse", "-m", tr.path("her.manifest"), "--limit-download", "4M")
	r.reach(1 << 20)
	return r
}

func TestInterruptedRehearsalLeavesNothingBehind(t *testing.T) {
	tr := newTraveller(t)
	tr.write("film", 24<<20)
	tr.backup()
	run := tr.slowRehearsal()
	if err := run.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	run.wait()
	if code := run.cmd.ProcessState.ExitCode(); code != core.ExitStopped {
		t.Errorf("exit code %d, %s", code, &run.stderr)
	}
	if left := traces(tr.runtime); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// Killed, it cannot clean up: the process that plays the blank computer does.
	run = tr.slowRehearsal()
	tr.nothingSecretIn(t, core.RehearsalCommand)
	run.cmd.Process.Kill()
	run.wait()
	tr.eventually("nothing is left of a killed rehearsal", func() bool { return len(traces(tr.runtime)) == 0 })
}

// nothingSecretIn looks at a process of ours: its arguments and its whole
// environment, where nothing of the person's may be either.
func (tr *traveller) nothingSecretIn(t *testing.T, command string) {
	t.Helper()
	found := 0
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if !bytes.HasSuffix(args, []byte("\x00"+command+"\x00")) || !bytes.Contains(env, []byte(tr.runtime)) {
			continue
		}
		found++
		for _, v := range strings.Split(strings.Trim(string(env), "\x00"), "\x00") {
			name, value, _ := strings.Cut(v, "=")
			switch {
			case name == "PATH", name == "HIDDEN_BACKUP_TAHOE":
			case name == "HOME", name == "XDG_RUNTIME_DIR":
				if !strings.HasPrefix(value, filepath.Join(tr.runtime, "hidden-backup", "rehearsal-")) {
					t.Errorf("the blank computer has %s", v)
				}
			default:
				t.Errorf("the blank computer has %s", v)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d processes play the blank computer", found)
	}
}
