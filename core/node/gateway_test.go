package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/tahoeclient"
)

func TestGatewayConnectsAndLeavesNothing(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	began := time.Now()
	g := startGateway(t, cfg)
	up := time.Since(began)
	n, err := g.WaitServers(deadline(t, 20*time.Second), 2)
	if err != nil || n != 2 {
		t.Fatalf("%d servers: %v", n, err)
	}
	t.Logf("answers after %v, servers usable after %v", up, time.Since(began))
	if state := g.State(); state.Phase != node.Ready {
		t.Errorf("state is %v", state.Phase)
	}
	checkPrivate(t, g.Dir())
	dir := g.Dir()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if g.State().Phase != node.Stopped {
		t.Errorf("state is %v", g.State().Phase)
	}
	if left := processesIn(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "gateway-*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// checkPrivate: nobody else may read anything in a node directory.
func checkPrivate(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.Type()&os.ModeSymlink != 0 || e.Name() == "running.process.lock" {
			return nil // tahoe insists on a mode for that one, and it is empty
		}
		if info, err := e.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
}

func TestSecretsAreInFilesOnly(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	cfg.LeaseSecret, cfg.Convergence = node.Secret{1, 2, 3}, node.Secret{4, 5, 6}
	g := startGateway(t, cfg)
	encode := func(s node.Secret) string {
		return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s[:]))
	}
	secrets := map[string]string{"private/secret": encode(cfg.LeaseSecret), "private/convergence": encode(cfg.Convergence)}
	for name, want := range secrets {
		data, err := os.ReadFile(filepath.Join(g.Dir(), name))
		if got := strings.TrimSpace(string(data)); err != nil || got != want || len(got) != 52 {
			t.Errorf("%s holds %q: %v", name, got, err)
		}
	}
	hidden := []string{"pb://"}
	for _, s := range secrets {
		hidden = append(hidden, s)
	}
	pids := processesIn(g.Dir())
	if len(pids) == 0 {
		t.Error("no process of the gateway was found")
	}
	for _, pid := range pids {
		for _, file := range []string{"cmdline", "environ"} {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			for _, secret := range hidden {
				if bytes.Contains(data, []byte(secret)) {
					t.Errorf("%s of a process of the gateway holds a secret", file)
				}
			}
			if file == "environ" && bytes.Contains(data, []byte("GOCACHE")) {
				t.Error("the gateway got our environment")
			}
		}
	}
}

func TestKilledTahoeIsStartedAgainAtTheSameSocket(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	cfg.LeaseSecret = node.Secret{7}
	g := startGateway(t, cfg)
	socket, pid := g.Socket(), tahoePID(t, g.Dir())
	client := tahoeclient.New(socket, tahoeclient.Options{})
	defer client.Close()
	file := upload(t, g)

	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "the end was noticed", func() bool { return g.State().Phase == node.Restarting })
	eventually(t, "it is ready again", func() bool { return g.State().Phase == node.Ready })
	if g.Socket() != socket || tahoePID(t, g.Dir()) == pid {
		t.Error("it is not a new one at the same place")
	}
	if _, err := g.WaitServers(deadline(t, 20*time.Second), 2); err != nil {
		t.Fatal(err)
	}
	if data, err := client.ReadAll(deadline(t, 20*time.Second), file, 0, int64(len(content))); err != nil || !bytes.Equal(data, content) {
		t.Errorf("reading back after the restart: %v", err)
	}
}

var content = bytes.Repeat([]byte("hidden backup "), 1000)

func upload(t *testing.T, g *node.Gateway) tahoeclient.Cap {
	t.Helper()
	if _, err := g.WaitServers(deadline(t, 20*time.Second), 2); err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(g.Socket(), tahoeclient.Options{})
	defer client.Close()
	file, err := client.Put(deadline(t, 20*time.Second), bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKilledWrapperLeavesNoTahoe(t *testing.T) {
	g := startGateway(t, nodetest.ConfigFor(t, practice(t)))
	pid := tahoePID(t, g.Dir())
	syscall.Kill(parent(t, pid), syscall.SIGKILL)
	eventually(t, "its tahoe is gone", func() bool { return !running(pid) })
	eventually(t, "another is ready", func() bool {
		return g.State().Phase == node.Ready && tahoePID(t, g.Dir()) != pid
	})
}

func parent(t *testing.T, pid int) (ppid int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var state string
	fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &ppid)
	if ppid <= 1 || ppid == os.Getpid() {
		t.Fatalf("tahoe has no wrapper, its parent is %d", ppid)
	}
	return ppid
}

func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// startOwner runs this test binary as the owner of what input describes and
// returns the directory it owns.
func startOwner(t *testing.T, mode string, input any) (owner *exec.Cmd, dir string) {
	t.Helper()
	data, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	owner = exec.Command(self(t), mode)
	owner.Stdin, owner.Stderr = bytes.NewReader(data), os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Process.Kill(); owner.Wait() })
	dir, err = bufio.NewReader(out).ReadString('\n')
	if dir = strings.TrimSpace(dir); err != nil || !filepath.IsAbs(dir) {
		t.Fatalf("the owner said %q: %v", dir, err)
	}
	return owner, dir
}

func TestKilledOwnerLeavesNothing(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	owner, dir := startOwner(t, ownGateway, cfg)
	if len(processesIn(dir)) == 0 {
		t.Fatal("no process of the gateway was found")
	}
	owner.Process.Kill()
	eventually(t, "the processes are gone", func() bool { return len(processesIn(dir)) == 0 })
	eventually(t, "the node directory is gone", func() bool { return isGone(dir) })
}

func TestLeftoversOfTheDeadAreSweptAndTheLivingSpared(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	alive := startGateway(t, cfg)
	dead := filepath.Join(cfg.Dir, "gateway-0badcafe")
	if err := os.MkdirAll(filepath.Join(dead, "private"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"owner.lock", "running.process", "private/servers.yaml"} {
		if err := os.WriteFile(filepath.Join(dead, name), []byte("1 1"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := startGateway(t, cfg)
	if !isGone(dead) {
		t.Error("what a dead gateway left is still there")
	}
	if alive.Dir() == second.Dir() {
		t.Error("two gateways share a directory")
	}
	for _, g := range []*node.Gateway{alive, second} {
		if _, err := g.WaitServers(deadline(t, 20*time.Second), 2); err != nil {
			t.Error(err)
		}
	}
}

func TestNextStartSweepsAfterOwnerAndWrapperWereKilled(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	owner, dir := startOwner(t, ownGateway, cfg)
	pid := tahoePID(t, dir)
	owner.Process.Signal(syscall.SIGSTOP) // it must not clean up in between
	syscall.Kill(parent(t, pid), syscall.SIGKILL)
	owner.Process.Kill()
	eventually(t, "tahoe is gone", func() bool { return !running(pid) })
	if isGone(dir) {
		t.Fatal("nobody was left to remove the node directory, and yet it is gone")
	}
	startGateway(t, cfg)
	if !isGone(dir) {
		t.Error("the node directory of the dead is still there")
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	ctx, cancel := context.WithCancelCause(context.Background())
	asked := errors.New("asked to stop")
	go func() {
		for len(processesIn(cfg.Dir)) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel(asked)
	}()
	if _, err := node.StartGateway(ctx, cfg); !errors.Is(err, asked) {
		t.Errorf("StartGateway returned %v", err)
	}
	if left := processesIn(cfg.Dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "gateway-*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestWaitServersSaysHowManyThereAre(t *testing.T) {
	g := startGateway(t, nodetest.ConfigFor(t, practice(t)))
	if _, err := g.WaitServers(deadline(t, 20*time.Second), 2); err != nil {
		t.Fatal(err)
	}
	n, err := g.WaitServers(deadline(t, 300*time.Millisecond), 3)
	if n != 2 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d servers: %v", n, err)
	}
}

// Without tor nothing connects, but Tahoe must take the configuration: it
// refuses keys it does not know, and what would give an address away.
func TestTahoeTakesTheTorConfiguration(t *testing.T) {
	nodetest.RequireTahoe(t)
	onion := strings.Repeat("a", 56) + ".onion:3457"
	for _, network := range []node.Network{node.Tor, node.TorToClearnet} {
		g := startGateway(t, node.GatewayConfig{
			Dir: nodetest.Dir(t), AllowDisk: true, Network: network, TorSocks: "unix:/no/such:tor%/socks",
			Needed: 3, Happy: 4, Total: 5,
			Servers: []node.Server{{
				ID:   "v0-" + strings.Repeat("a", 52),
				Furl: "pb://" + strings.Repeat("b", 32) + "@tor:" + onion + "/swissnum",
			}},
		})
		if state := g.State(); state.Phase != node.Ready {
			t.Errorf("%s: state is %v: %v", network, state.Phase, state.Reason)
		}
		g.Close()
	}
}

func TestKeptGatewayServesSeveralCommands(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	const id = "00c0ffee"
	if _, err := node.FindGateway(cfg.Dir, id); !errors.Is(err, node.ErrNoGateway) {
		t.Fatalf("FindGateway returned %v", err)
	}
	kept, err := node.SpawnKeeper(deadline(t, time.Minute), []string{self(t), beKeeper}, id, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.StopGateway(cfg.Dir, id) })
	if sid, err := syscall.Getpgid(kept.PID); err != nil || sid != kept.PID {
		t.Errorf("the keeper is not detached: group %d, %v", sid, err)
	}
	found, err := node.FindGateway(cfg.Dir, id)
	if err != nil || *found != *kept {
		t.Fatalf("FindGateway returned %v: %v", found, err)
	}
	if n, err := found.WaitServers(deadline(t, 20*time.Second), 2); err != nil {
		t.Errorf("%d servers: %v", n, err)
	}
	for _, pid := range processesIn(cfg.Dir) {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if bytes.Contains(data, []byte("pb://")) {
			t.Error("an address is in an environment")
		}
	}
	if _, err := node.SpawnKeeper(deadline(t, time.Minute), []string{self(t), beKeeper}, id, cfg, nil); !errors.Is(err, node.ErrAlreadyRunning) {
		t.Errorf("a second keeper: %v", err)
	}
	if err := node.StopGateway(cfg.Dir, id); err != nil {
		t.Fatal(err)
	}
	if running(kept.PID) {
		t.Error("the stopped keeper still runs")
	}
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if err := node.StopGateway(cfg.Dir, id); !errors.Is(err, node.ErrNoGateway) {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestKilledKeeperIsForgotten(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	const id = "dead0001"
	kept, err := node.SpawnKeeper(deadline(t, time.Minute), []string{self(t), beKeeper}, id, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(kept.PID, syscall.SIGKILL)
	eventually(t, "it is not found", func() bool {
		_, err := node.FindGateway(cfg.Dir, id)
		return errors.Is(err, node.ErrNoGateway)
	})
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "keeper-*.json")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	eventually(t, "its node directory is gone", func() bool { return isGone(filepath.Dir(kept.Socket)) })
}

func TestKeeperReportsWhyItCannotStart(t *testing.T) {
	cfg := nodetest.ConfigFor(t, practice(t))
	_, err := node.SpawnKeeper(deadline(t, time.Minute), []string{"/bin/sh", "-c", "exit 3"}, "abcd", cfg, nil)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a keeper that ends at once: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := node.SpawnKeeper(ctx, []string{self(t), beKeeper}, "abcd", cfg, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled start: %v", err)
	}
}
