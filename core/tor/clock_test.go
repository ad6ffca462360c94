package tor_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/tor"
)

// wrongClock makes a tor whose clock is wrong.
func wrongClock(t *testing.T, real string, skew time.Duration) (program string) {
	t.Helper()
	dir := t.TempDir()
	library := filepath.Join(dir, "clock.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", library, "testdata/clock.c", "-ldl").CombinedOutput(); err != nil {
		t.Skipf("needs a C compiler: %v: %s", err, out)
	}
	program = filepath.Join(dir, "tor")
	script := fmt.Sprintf("#!/bin/sh\nCLOCK_SKEW=%d LD_PRELOAD=%s exec %s \"$@\"\n", int(skew.Seconds()), library, real)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program
}

func TestWrongClockIsSaid(t *testing.T) {
	cfg := config(t)
	real, err := tor.FindTor()
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		t.Setenv(tor.TorVariable, wrongClock(t, real, skew))
		c := start(t, cfg)
		if err := c.Enable(deadline(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the clock is known to be wrong", func() bool { return c.Status().Skew != 0 })
		err := c.WaitBootstrapped(deadline(t, 100*time.Millisecond))
		var clock *tor.ClockError
		if !errors.As(err, &clock) || !errors.Is(err, tor.ErrClock) || (clock.Skew-skew).Abs() > time.Hour {
			t.Errorf("with a clock off by %v: %v, %+v", skew, err, c.Status())
		}
		t.Logf("%v; the step is %q", err, c.Status().Summary)
		c.Close()
	}
}
