package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spec runs script in a directory that is made before and removed after each run.
func spec(t *testing.T, script string) (Spec, *atomic.Int32) {
	dir := filepath.Join(t.TempDir(), "run")
	var runs atomic.Int32
	return Spec{
		Name: "child",
		Prepare: func() (Config, error) {
			runs.Add(1)
			cfg := shell(script)
			cfg.Dir = dir
			return cfg, os.Mkdir(dir, 0o700)
		},
		Ready: func(ctx context.Context) error {
			for {
				if _, err := os.Stat(filepath.Join(dir, "up")); err == nil {
					return nil
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Millisecond):
				}
			}
		},
		Clean:   func() { os.RemoveAll(dir) },
		Backoff: time.Millisecond,
	}, &runs
}

func TestSupervisedChildIsStartedAgain(t *testing.T) {
	spec, runs := spec(t, ": > up; read forever")
	prepare := spec.Prepare
	var dir atomic.Value
	spec.Prepare = func() (Config, error) {
		cfg, err := prepare()
		dir.Store(cfg.Dir)
		cfg.Argv[2] = "echo $$ > pid; " + cfg.Argv[2]
		return cfg, err
	}
	s, err := Supervise(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	pid := func() int {
		data, _ := os.ReadFile(filepath.Join(dir.Load().(string), "pid"))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
		return pid
	}
	first := pid()
	unix.Kill(first, unix.SIGKILL)
	eventually(t, "it runs again", func() bool { return runs.Load() == 2 && s.State().Phase == Ready })
	if second := pid(); second == first || !alive(second) {
		t.Errorf("process %d followed %d", second, first)
	}
	s.Stop()
	s.Stop()
	if s.State().Phase != Stopped {
		t.Errorf("state is %v", s.State().Phase)
	}
	if _, err := os.Stat(dir.Load().(string)); !os.IsNotExist(err) {
		t.Error("the run's directory is left")
	}
}

func TestSupervisorGivesUpAndSaysWhy(t *testing.T) {
	spec, runs := spec(t, "echo 'out of memory'; exit 7")
	spec.Limit = 3
	prepare := spec.Prepare
	spec.Prepare = func() (Config, error) {
		cfg, err := prepare()
		if runs.Load() == 1 { // only the first start must work
			cfg.Argv[2] = ": > up; while [ -e up ]; do :; done; " + cfg.Argv[2]
		}
		return cfg, err
	}
	s, err := Supervise(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	spec.Clean() // the first child ends when its file is gone
	select {
	case <-s.GaveUp():
	case <-time.After(20 * time.Second):
		t.Fatal("it does not give up")
	}
	state := s.State()
	if state.Phase != Failed || !errors.Is(state.Reason, ErrGaveUp) || !strings.Contains(state.Reason.Error(), "out of memory") {
		t.Errorf("state is %v: %v", state.Phase, state.Reason)
	}
	if runs.Load() != 3 {
		t.Errorf("it was run %d times", runs.Load())
	}
}

func TestFirstStartIsNotTriedAgain(t *testing.T) {
	spec, runs := spec(t, "echo 'bad key'; exit 1")
	s, err := Supervise(context.Background(), spec)
	var exit *ExitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "bad key") {
		t.Errorf("Supervise returned %v", err)
	}
	if s != nil || runs.Load() != 1 {
		t.Errorf("it was run %d times", runs.Load())
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	spec, _ := spec(t, "read forever")
	ctx, cancel := context.WithCancelCause(context.Background())
	asked := errors.New("asked")
	ready := spec.Ready
	spec.Ready = func(ctx context.Context) error { cancel(asked); return ready(ctx) }
	cleaned := false
	clean := spec.Clean
	spec.Clean = func() { cleaned = true; clean() }
	if _, err := Supervise(ctx, spec); !errors.Is(err, asked) {
		t.Errorf("Supervise returned %v", err)
	}
	if !cleaned {
		t.Error("it was not cleaned up")
	}
}
