package tor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/tor"
)

func TestOwnTorReachesAnOnionService(t *testing.T) {
	cfg := config(t)
	began := time.Now()
	c := start(t, cfg)
	up := time.Since(began)
	if s := c.Status(); !s.Own || s.Percent != 0 || s.Tag != "starting" {
		t.Errorf("before it is enabled: %+v", s)
	}
	if _, err := os.Lstat(strings.TrimPrefix(c.Socks(), "unix:")); err == nil {
		t.Error("it takes connections before it is enabled")
	}
	if err := c.WaitBootstrapped(deadline(t, 40*time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Logf("answers after %v, connected after %v", up, time.Since(began))
	if s := c.Status(); !s.Connected() || s.Tag != "done" || s.Summary != "Done" || s.Skew != 0 {
		t.Errorf("when it is connected: %+v", s)
	}
	if err := c.Enable(context.Background()); err != nil {
		t.Error(err)
	}
	address, err := network(t).OnionService(deadline(t, 20*time.Second), greeter(t), 80)
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if err := reach(t, c, address, 80); err != nil {
		t.Fatal(err)
	}
	t.Logf("the service was reached after %v", time.Since(began))

	// Somebody else's tor, as far as this one knows.
	running := start(t, tor.Config{Socks: c.Socks()})
	if running.Own() || running.Socks() != c.Socks() || running.Status().Percent != -1 {
		t.Errorf("it is %+v", running.Status())
	}
	if err := running.WaitBootstrapped(deadline(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
	if err := reach(t, running, address, 80); err != nil {
		t.Error(err)
	}
	if _, _, err := running.AddOnion(context.Background(), tor.OnionService{Port: 80, LocalPort: 80}); !errors.Is(err, tor.ErrNotOwn) {
		t.Errorf("AddOnion returned %v", err)
	}
	if err := running.Close(); err != nil || c.Err() != nil {
		t.Errorf("closing it: %v, and then %v", err, c.Err())
	}
}

func TestLockedOnionServiceOpensToItsClient(t *testing.T) {
	c := connected(t, config(t))
	right, err1 := tor.NewClientKey()
	wrong, err2 := tor.NewClientKey()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	address, err := network(t).OnionService(deadline(t, 20*time.Second), greeter(t), 80, right.Public())
	if err != nil {
		t.Fatal(err)
	}
	locked := func(code byte) {
		t.Helper()
		var onion *tor.OnionError
		if err := reach(t, c, address, 80); !errors.As(err, &onion) || onion.Code != code || !onion.Locked() {
			t.Errorf("%v", err)
		}
	}
	locked(0xf4)
	if err := c.AddClientAuth(deadline(t, 10*time.Second), address, wrong); err != nil {
		t.Fatal(err)
	}
	locked(0xf5)
	if err := c.AddClientAuth(deadline(t, 10*time.Second), address, right); err != nil {
		t.Fatal(err)
	}
	if err := reach(t, c, address, 80); err != nil {
		t.Error(err)
	}
}

func TestOnionServiceKeepsItsAddressWithItsKey(t *testing.T) {
	cfg := config(t)
	first := start(t, cfg)
	service := tor.OnionService{Port: 80, LocalPort: greeter(t)}
	address, key, err := first.AddOnion(deadline(t, 10*time.Second), service)
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	service.Key, err = tor.ParseOnionKey(key.Secret())
	if err != nil {
		t.Fatal(err)
	}
	again, sameKey, err := connected(t, cfg).AddOnion(deadline(t, 10*time.Second), service)
	if err != nil || again != address || sameKey != key {
		t.Errorf("it is at %q now, not at %q: %v", again, address, err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	cfg := config(t)
	before := runtime.NumGoroutine()
	c := connected(t, cfg)
	pid := torPID(t, cfg.Dir)
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if pids := processesIn(cfg.Dir); len(pids) > 0 || syscall.Kill(pid, 0) == nil {
		t.Errorf("processes %v are left", pids)
	}
	if names := left(t, cfg.Dir); len(names) > 0 {
		t.Errorf("%q are left", names)
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	if err := c.Err(); !errors.Is(err, tor.ErrEnded) {
		t.Errorf("Err returned %v", err)
	}
	if _, err := c.DialOnion(context.Background(), anOnion, 80); !errors.Is(err, tor.ErrEnded) {
		t.Errorf("DialOnion returned %v", err)
	}
}

// anOnion is a valid address where nobody is.
const anOnion = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"

func TestKilledTorIsAnError(t *testing.T) {
	cfg := config(t)
	c := connected(t, cfg)
	syscall.Kill(torPID(t, cfg.Dir), syscall.SIGKILL)
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("its end was not noticed")
	}
	for what, err := range map[string]error{
		"Err":    c.Err(),
		"Enable": c.Enable(context.Background()),
		"DialOnion": func() error {
			_, err := c.DialOnion(context.Background(), anOnion, 80)
			return err
		}(),
	} {
		if !errors.Is(err, tor.ErrEnded) || !strings.Contains(err.Error(), "137") {
			t.Errorf("%s returned %v", what, err)
		}
	}
	eventually(t, "its directory is gone", func() bool { return len(left(t, cfg.Dir)) == 0 })
}

func TestTorDiesWithItsOwner(t *testing.T) {
	cfg := config(t)
	order, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(self, ownTor)
	owner.Stdin = strings.NewReader(string(order))
	output, err := owner.StdoutPipe()
	if err == nil {
		err = owner.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Process.Kill(); owner.Wait() })
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "started <nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	torPID(t, cfg.Dir)
	began := time.Now()
	owner.Process.Kill()
	eventually(t, "tor ended", func() bool { return len(processesIn(cfg.Dir)) == 0 })
	t.Logf("tor ended %v after its owner was killed", time.Since(began))
	eventually(t, "its directory is gone", func() bool { return len(left(t, cfg.Dir)) == 0 })
}

func TestTorThatHangs(t *testing.T) {
	cfg := config(t)
	c := start(t, cfg)
	syscall.Kill(torPID(t, cfg.Dir), syscall.SIGSTOP)
	began := time.Now()
	_, _, err := c.AddOnion(deadline(t, 300*time.Millisecond), tor.OnionService{Port: 80, LocalPort: 80})
	if !errors.Is(err, tor.ErrControl) || !strings.Contains(err.Error(), "not answered") {
		t.Errorf("AddOnion returned %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if pids := processesIn(cfg.Dir); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

func TestNetworkThatDoesNotAnswer(t *testing.T) {
	cfg := config(t)
	var dead []string
	for i, line := range cfg.Private {
		if i > 0 {
			fields := strings.Fields(line)
			fields[2], fields[5] = "orport=1", "127.0.0.1:1"
			line = strings.Join(fields, " ")
		}
		dead = append(dead, line)
	}
	cfg.Private = dead
	c := start(t, cfg)
	var err error
	eventually(t, "the authorities were tried", func() bool {
		err = c.WaitBootstrapped(deadline(t, time.Second))
		return err == nil || strings.Contains(err.Error(), "refused")
	})
	var bootstrap *tor.BootstrapError
	if !errors.As(err, &bootstrap) || !errors.Is(err, tor.ErrNotBootstrapped) || bootstrap.Status.Percent >= 50 ||
		bootstrap.Status.Summary == "" {
		t.Errorf("WaitBootstrapped returned %v", err)
	}
	t.Log(err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.WaitBootstrapped(ctx); err != context.Canceled {
		t.Errorf("when it was stopped: %v", err)
	}
}

func TestGuardsAreKeptWhereTheyAreWanted(t *testing.T) {
	cfg := config(t)
	cfg.Guards = directory(t)
	for range 2 {
		connected(t, cfg).Close()
		state, err := os.ReadFile(filepath.Join(cfg.Guards, "state"))
		if err != nil || !strings.Contains(string(state), "\nGuard ") {
			t.Errorf("the state is %q: %v", state, err)
		}
		if names := left(t, cfg.Dir); len(names) > 0 {
			t.Errorf("%q are left", names)
		}
	}
	os.Chmod(cfg.Guards, 0o755)
	if _, err := tor.Start(context.Background(), cfg); err == nil {
		t.Error("a directory that is open to others was taken")
	}
}

func TestTorThatDoesNotStart(t *testing.T) {
	cfg := config(t)
	cfg.Private = nil
	for name, c := range map[string]struct {
		script string
		wait   time.Duration
		want   error
	}{
		"ends":       {"echo '[err] no such thing'; exit 3", time.Minute, tor.ErrEnded},
		"stays mute": {"exec sleep 100", time.Second, tor.ErrControl},
	} {
		program := filepath.Join(t.TempDir(), "tor")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv(tor.TorVariable, program)
		_, err := tor.Start(deadline(t, c.wait), cfg)
		if !errors.Is(err, c.want) || c.want == tor.ErrEnded && !strings.Contains(err.Error(), "no such thing") {
			t.Errorf("a tor that %s: %v", name, err)
		}
	}
	t.Setenv(tor.TorVariable, "/no/such/tor")
	if _, err := tor.Start(context.Background(), cfg); !errors.Is(err, tor.ErrNoTor) {
		t.Errorf("without a tor: %v", err)
	}
	if names, pids := left(t, cfg.Dir), processesIn(cfg.Dir); len(names) > 0 || len(pids) > 0 {
		t.Errorf("%q and processes %v are left", names, pids)
	}
}
