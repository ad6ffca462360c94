package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func shell(script string) Config {
	return Config{Name: "child", Argv: []string{"/bin/sh", "-c", script}, Env: Environment("/", "/tmp")}
}

func start(t *testing.T, cfg Config) *Process {
	t.Helper()
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !yes(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// alive also says no for a zombie.
func alive(pid int) bool {
	_, err := Identify(pid)
	return err == nil
}

// grandchild waits for the number that the script echoes.
func grandchild(t *testing.T, p *Process) int {
	t.Helper()
	pid := 0
	eventually(t, "the grandchild said its number", func() bool {
		if lines := p.LastLines(); len(lines) > 0 {
			pid, _ = strconv.Atoi(lines[0])
		}
		return pid > 0
	})
	return pid
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	p := start(t, shell("sleep 1000 & echo $!; wait"))
	pid := grandchild(t, p)
	p.Stop()
	eventually(t, "the grandchild is gone", func() bool { return !alive(pid) })
	if err := p.Err(); err != nil {
		t.Errorf("a child we stopped ended with %v", err)
	}
}

func TestStopKillsAChildThatDoesNotListen(t *testing.T) {
	cfg := shell("trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1000; done")
	cfg.StopWait = 50 * time.Millisecond
	p := start(t, cfg)
	pid := grandchild(t, p)
	p.Stop()
	eventually(t, "the grandchild is gone", func() bool { return !alive(pid) })
}

func TestStopReachesASuspendedChild(t *testing.T) {
	p := start(t, shell("echo up; read forever"))
	eventually(t, "it is up", func() bool { return len(p.LastLines()) > 0 })
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.Stop()
	if took := time.Since(began); took > defaultStopWait/2 {
		t.Errorf("stopping took %v: it had to be killed", took)
	}
}

func TestGroupDiesWhenItsLeaderIsKilled(t *testing.T) {
	p := start(t, shell("sleep 1000 & echo $!; wait"))
	pid := grandchild(t, p)
	unix.Kill(p.PID(), unix.SIGKILL)
	eventually(t, "the grandchild is gone", func() bool { return !alive(pid) })
	var exit *ExitError
	if err := p.Err(); !errors.As(err, &exit) || !strings.Contains(exit.How, "killed") {
		t.Errorf("Err is %v", err)
	}
}

func TestStandardInputStaysOpenUntilStop(t *testing.T) {
	cfg := shell("trap '' TERM; echo up; cat; echo closed")
	p := start(t, cfg)
	eventually(t, "it is up", func() bool { return len(p.LastLines()) == 1 })
	p.Stop()
	if got := p.LastLines(); len(got) != 2 || got[1] != "closed" {
		t.Errorf("it said %q", got)
	}
}

func TestErrorCarriesTheLastWordsWithoutSecrets(t *testing.T) {
	const cap = "URI:CHK:aaaaaaaa:bbbbbbbb:3:5:1000"
	const furl = "pb://abcdef@tcp:127.0.0.1:1/swissnum"
	p := start(t, shell("echo first; echo 'bad "+cap+" here' >&2; echo '/uri/URI%3ADIR2%3Axyz "+furl+"'; exit 3"))
	err := p.Err()
	for _, want := range []string{"first", "bad URI:[hidden] here", "/uri/URI%3A[hidden] pb://[hidden]", "exit status 3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	for _, secret := range []string{"aaaa", "xyz", "abcdef", "swissnum"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in %q", secret, err)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	var l lastLines
	for range 1000 {
		l.Write([]byte(strings.Repeat("x", 700)))
		l.Write([]byte(strings.Repeat("y", 70000) + "\nnext\n"))
	}
	lines := l.lines()
	if len(lines) != keptLines {
		t.Errorf("%d lines are kept", len(lines))
	}
	for _, line := range lines {
		if len(line) > keptLength {
			t.Errorf("a line of %d bytes is kept", len(line))
		}
	}
}

func TestChildGetsNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("HIDDEN_BACKUP_PASSPHRASE", "correct horse")
	cfg := shell("env; exit 1")
	p := start(t, cfg)
	if err := p.Err(); strings.Contains(err.Error(), "horse") || !strings.Contains(err.Error(), "LC_ALL=C.UTF-8") {
		t.Errorf("its environment: %v", err)
	}
}

func TestMissingProgramIsAnError(t *testing.T) {
	if _, err := Start(Config{Name: "child", Argv: []string{"/no/such/program"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Start returned %v", err)
	}
}

func TestIdentityTellsAStrangerFromOurs(t *testing.T) {
	p := start(t, shell("read forever"))
	ours, err := Identify(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	if !ours.Running() {
		t.Error("it runs and is said not to")
	}
	for name, stranger := range map[string]Identity{
		"start": {ours.PID, ours.Start + 1, ours.Boot},
		"boot":  {ours.PID, ours.Start, "another"},
	} {
		if stranger.Running() {
			t.Errorf("another %s is taken for ours", name)
		}
		if err := stranger.Stop(time.Second); err != nil || !ours.Running() {
			t.Errorf("stopping a stranger (%s): %v, running %v", name, err, ours.Running())
		}
	}
	p.Stop()
	if ours.Running() {
		t.Error("it ended and is said to run")
	}
	if err := ours.Stop(time.Second); err != nil {
		t.Error(err)
	}
	for _, pid := range []int{-1, 0, 1} {
		if err := (Identity{PID: pid}).Stop(time.Second); err == nil {
			t.Errorf("process %d may be stopped", pid)
		}
	}
}

func TestIdentityStopsAndThenKills(t *testing.T) {
	up := filepath.Join(t.TempDir(), "up")
	cmd := exec.Command("/bin/sh", "-c", "trap '' TERM; : > "+up+"; while :; do sleep 1; done")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	eventually(t, "it is up", func() bool { _, err := os.Stat(up); return err == nil })
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Stop(50 * time.Millisecond); err != nil {
		t.Error(err)
	}
	if id.Running() {
		t.Error("it still runs")
	}
	cmd.Wait()
}
