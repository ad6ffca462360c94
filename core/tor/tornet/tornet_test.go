package tornet_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
)

// The test binary is also the process that owns a network, and is killed.
const ownNetwork = "test-own-network"

// offer is what the owner says of its network.
type offer struct {
	Lines   []string
	Address string
	Problem string
}

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == ownNetwork {
		json.NewEncoder(os.Stdout).Encode(own(os.Args[2], os.Args[3]))
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func own(dir, localPort string) offer {
	ctx := context.Background()
	port, _ := strconv.Atoi(localPort)
	n, err := tornet.Start(ctx, tornet.Config{Dir: dir})
	if err != nil {
		return offer{Problem: err.Error()}
	}
	address, err := n.OnionService(ctx, port, 80)
	return offer{Lines: n.ClientConfig(), Address: address, Problem: fmt.Sprint(err)}
}

func TestNetworkIsUsableAndDiesWithItsOwner(t *testing.T) {
	tortest.RequireTor(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := directory(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	owner := exec.Command(self, ownNetwork, dir, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	output, err := owner.StdoutPipe()
	if err == nil {
		err = owner.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { owner.Process.Kill(); owner.Wait() }()
	var o offer
	if err := json.NewDecoder(output).Decode(&o); err != nil || o.Problem != "<nil>" {
		t.Fatalf("the network did not start: %v: %s", err, o.Problem)
	}
	t.Logf("up after %v; %d processes have %d MiB together", time.Since(began), len(processesIn(dir)), memory(dir)>>20)

	c, err := tor.Start(deadline(t, 30*time.Second), tor.Config{
		Source: tor.Own, Dir: directory(t), AllowDisk: true, Private: o.Lines,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.WaitBootstrapped(deadline(t, 40*time.Second)); err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t, 40*time.Second)
	for {
		conn, err := c.DialOnion(ctx, o.Address, 80)
		if err == nil {
			conn.Close()
			break
		}
		t.Log(time.Since(began), err)
		if !errors.Is(err, tor.ErrOnion) {
			t.Fatal(err)
		}
	}
	t.Logf("an onion service was reached after %v", time.Since(began))

	killed := time.Now()
	owner.Process.Kill()
	gone(t, dir)
	t.Logf("all of it ended %v after its owner was killed", time.Since(killed))
}

func TestStartThatIsStoppedLeavesNoProcess(t *testing.T) {
	tortest.RequireTor(t)
	dir := directory(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for len(processesIn(dir)) < 5 && ctx.Err() == nil { // some of them run
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if n, err := tornet.Start(ctx, tornet.Config{Dir: dir, Relays: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start returned %v, %v", n, err)
	}
	if pids := processesIn(dir); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

func TestNetworksThatAreRefused(t *testing.T) {
	tortest.RequireTor(t)
	for _, relays := range []int{-1, 1, 41} {
		if _, err := tornet.Start(context.Background(), tornet.Config{Dir: directory(t), Relays: relays}); err == nil {
			t.Errorf("a network of %d relays was started", relays)
		}
	}
	open := directory(t)
	os.Chmod(open, 0o755)
	if _, err := tornet.Start(context.Background(), tornet.Config{Dir: open}); err == nil {
		t.Error("a directory that is open to others was taken")
	}
	t.Setenv("PATH", "/no/such/place")
	if _, err := tornet.Start(context.Background(), tornet.Config{Dir: directory(t)}); !errors.Is(err, tornet.ErrNoTor) {
		t.Errorf("without tor-gencert: %v", err)
	}
}

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// directory has a path short enough for sockets. t.TempDir has not.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// processesIn are the living processes that work in the directory. One that
// only got its name as an argument, as the owner did, is none of them.
func processesIn(dir string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if strings.Contains(string(environ), "HOME="+dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func gone(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); len(processesIn(dir)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("processes %v are left", processesIn(dir))
		}
	}
}

// memory is what the processes have, what they share counted once.
func memory(dir string) (bytes int64) {
	for _, pid := range processesIn(dir) {
		f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var kB int64
			if n, _ := fmt.Sscanf(lines.Text(), "Pss: %d kB", &kB); n == 1 {
				bytes += kB << 10
			}
		}
		f.Close()
	}
	return bytes
}
