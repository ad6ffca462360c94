package host_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/host"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor"
	"hiddenbackup/tahoeclient"
)

// The whole life of a hosted storage node, with three people and a stranger.
func TestStorageNodeForPeopleWhoAreInvited(t *testing.T) {
	network(t)
	home(t)
	h := open(t, "storage", network(t).ClientConfig())
	if _, err := h.Invite(host.Invitation{Name: "Anna"}); !errors.Is(err, host.ErrNeverRan) {
		t.Errorf("an invite before there is an address: %v", err)
	}
	if s, err := h.Status(); err != nil || s.Running || s.Published || s.Missing != nil {
		t.Errorf("before it is enabled: %+v, %v", s, err)
	}
	for name, value := range map[string]string{"operator": "Ben", "place": "Reykjavík", "lease-expiry": "400", "reserved-space": "10M"} {
		if err := h.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	enable(t, h)
	if _, err := h.Enable(deadline(t, time.Minute), false, time.Second); !errors.Is(err, node.ErrAlreadyRunning) {
		t.Errorf("enabled twice: %v", err)
	}
	anna, boris := invite(t, h, host.Invitation{Name: "Anna"}), invite(t, h, host.Invitation{Name: "Boris"})
	clara := invite(t, h, host.Invitation{Name: "Clara", WithoutKey: true})
	if s := anna.Server; s.Operator != "Ben" || s.Place != "Reykjavík" || s.LeaseDays != 400 || !anna.HasKey() || clara.HasKey() {
		t.Errorf("Anna's invite: %+v", s)
	}
	annas, boriss, claras := person(t, anna), person(t, boris), person(t, clara)
	for who, reached := range map[string]bool{
		"Anna": reaches(t, annas, anna), "Boris": reaches(t, boriss, boris), "Clara": reaches(t, claras, clara)} {
		if !reached {
			t.Errorf("%s does not reach it", who)
		}
	}
	if reaches(t, claras, anna) {
		t.Error("a stranger who knows the address reaches it without a key")
	}

	g := gateway(t, anna, annas)
	storeAndFetch(t, g)
	if s, err := h.Status(); err != nil || s.Stored == 0 || s.People != 3 {
		t.Errorf("when something is stored: %+v, %v", s, err)
	}
	if err := h.Set("persistence", "off"); !errors.Is(err, host.ErrRunning) {
		t.Errorf("moved while it runs: %v", err)
	}

	if err := h.Revoke(deadline(t, time.Minute), "Anna"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Anna's gateway is cut off", func() bool {
		n, err := g.WaitServers(deadline(t, 5*time.Second), 0)
		return err == nil && n == 0
	})
	if reaches(t, annas, anna) {
		t.Error("Anna still reaches it after she was revoked")
	}
	if err := h.Revoke(deadline(t, time.Minute), "Clara"); err != nil {
		t.Fatal(err)
	}
	if err := h.Revoke(deadline(t, time.Minute), "Clara"); !errors.Is(err, host.ErrNobody) {
		t.Errorf("revoked twice: %v", err)
	}
	if !reaches(t, boriss, boris) {
		t.Error("Boris does not reach it after Anna was revoked")
	}

	// A restart changes nothing for Boris.
	if err := h.Disable(); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Status(); err != nil || s.Running || s.Published || !s.Persistent {
		t.Errorf("disabled: %+v, %v", s, err)
	}
	if err := h.Disable(); !errors.Is(err, host.ErrNotRunning) {
		t.Errorf("disabled twice: %v", err)
	}
	if err := h.Set("persistence", "off"); !errors.Is(err, host.ErrHoldsShares) {
		t.Errorf("what others stored would move to memory: %v", err)
	}
	enable(t, h)
	if !reaches(t, boriss, boris) {
		t.Error("Boris does not reach it after a restart")
	}
}

// A gateway of somebody who has nothing but the invite and a tor.
func gateway(t *testing.T, i *host.Invite, c *tor.Tor) *node.Gateway {
	t.Helper()
	grid, err := host.Grid([]*host.Invite{i}, host.Numbers{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := grid.Servers[0]
	g, err := node.StartGateway(deadline(t, time.Minute), node.GatewayConfig{
		Dir: nodetest.Dir(t), AllowDisk: true, Network: node.Tor, TorSocks: c.Socks(),
		Needed: grid.Needed, Happy: grid.Happy, Total: grid.Total,
		Servers: []node.Server{{ID: s.ID, Nickname: s.Nickname, Furl: s.Furl.Secret(), Seed: s.PermutationSeed()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if n, err := g.WaitServers(deadline(t, 40*time.Second), 1); err != nil {
		t.Fatalf("%d servers: %v", n, err)
	}
	return g
}

func storeAndFetch(t *testing.T, g *node.Gateway) {
	t.Helper()
	client := tahoeclient.New(g.Socket(), node.Tor.ClientOptions())
	defer client.Close()
	content := make([]byte, 300<<10)
	rand.Read(content)
	file, err := client.Put(deadline(t, 60*time.Second), bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.ReadAll(deadline(t, 60*time.Second), file, 0, int64(len(content)))
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("what came back is not what was stored: %v", err)
	}
}

// pastTor waits until the service listens where the options allow it, while it
// runs.
func pastTor(t *testing.T, h *host.Host) {
	t.Helper()
	ways, err := h.Addresses()
	if err != nil || len(ways) < 2 || ways[0].For != "onion" || ways[1].For != "localhost" {
		t.Fatalf("ways to it: %v, %v", ways, err)
	}
	for _, w := range ways[1:] {
		address := strings.TrimPrefix(w.Furl.Hints()[0], "tcp:")
		eventually(t, "it listens for "+w.For, func() bool {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	eventually(t, "it is published again", func() bool { return published(t, h) })
}

func published(t *testing.T, h *host.Host) bool {
	t.Helper()
	s, err := h.Status()
	if err != nil {
		t.Fatal(err)
	}
	return s.Published
}

// kill ends the one process of that name that works below the directory.
func kill(t *testing.T, name, dir string) {
	t.Helper()
	for _, pid := range processesIn(dir) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if strings.TrimSpace(string(comm)) == name {
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Fatalf("no %s works there", name)
}

// In memory nothing stays: not after disable, and no process after a kill.
func TestNothingStaysInMemory(t *testing.T) {
	network(t)
	runtime := home(t)
	h := open(t, "introducer", network(t).ClientConfig())
	if err := h.Set("persistence", "off"); err != nil {
		t.Fatal(err)
	}
	enable(t, h)
	for _, name := range []string{"allow-localhost", "allow-lan"} {
		if err := h.Set(name, "on"); err != nil {
			t.Fatal(err)
		}
	}
	pastTor(t, h)
	dana := invite(t, h, host.Invitation{Name: "Dana"})
	danas := person(t, dana)
	if !reaches(t, danas, dana) {
		t.Error("Dana does not reach the introducer")
	}
	if _, err := os.Stat(filepath.Join(os.Getenv("XDG_DATA_HOME"))); err == nil {
		t.Error("something was written to the disk")
	}
	kill(t, "tor", runtime)
	eventually(t, "the end of tor is told", func() bool { return !published(t, h) })
	eventually(t, "it is published again", func() bool { return published(t, h) })
	if !reaches(t, danas, dana) {
		t.Error("Dana does not reach the introducer after tor was killed")
	}
	s, err := h.Status()
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(s.PID, syscall.SIGKILL)
	eventually(t, "no process is left", func() bool { return len(processesIn(runtime)) == 0 })
	if s, err := h.Status(); err != nil || s.Running || s.Published || h.Running() {
		t.Errorf("after it was killed: %+v, %v", s, err)
	}
	if err := h.Disable(); err != nil {
		t.Fatal(err)
	}
	var left []string
	filepath.WalkDir(runtime, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			left = append(left, strings.TrimPrefix(path, runtime))
		}
		return nil
	})
	if len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// On Tails the system's tor serves us, if its filter lets us. Here it is another
// tor with a control port.
func TestHostingOnTails(t *testing.T) {
	network(t)
	home(t)
	cfg := tor.Config{Source: tor.Own, Dir: nodetest.Dir(t), AllowDisk: true, Private: network(t).ClientConfig()}
	system, err := tor.Start(deadline(t, 30*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { system.Close() })
	if err := system.WaitBootstrapped(deadline(t, 40*time.Second)); err != nil {
		t.Fatal(err)
	}
	sockets, _ := filepath.Glob(filepath.Join(cfg.Dir, "tor-*", "control.sock"))
	if len(sockets) != 1 {
		t.Fatalf("control sockets: %q", sockets)
	}

	host.PretendTails(t, tor.Config{Source: tor.System, Socks: system.Socks()})
	h := open(t, "storage", nil)
	if _, err := h.Enable(deadline(t, time.Minute), true, time.Second); !errors.Is(err, host.ErrTails) {
		t.Errorf("without a control port: %v", err)
	}
	host.PretendTails(t, tor.Config{Source: tor.System, Socks: system.Socks(), Control: "unix:" + sockets[0]})
	if _, err := h.Enable(deadline(t, time.Minute), false, time.Second); !errors.Is(err, host.ErrConsent) {
		t.Errorf("without consent: %v", err)
	}
	// What Enable does, in this process: another would not take this for Tails.
	if err := host.Agree(h); err != nil {
		t.Fatal(err)
	}
	host.HangsAfter(t, 8*time.Second) // on a busy machine silence of two is nothing
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	eventually(t, "it is published", func() bool { return published(t, h) })
	emma, fadi := invite(t, h, host.Invitation{Name: "Emma"}), invite(t, h, host.Invitation{Name: "Fadi"})
	emmas, fadis := person(t, emma), person(t, fadi)
	if !reaches(t, emmas, emma) || !reaches(t, fadis, fadi) {
		t.Error("the people do not reach it")
	}
	if reaches(t, fadis, emma) {
		t.Error("a stranger reaches Emma's address")
	}
	if err := h.Revoke(deadline(t, time.Minute), "Emma"); err != nil {
		t.Fatal(err)
	}
	address, port := onionOf(t, emma)
	if conn, err := emmas.DialOnion(deadline(t, 10*time.Second), address, port); err == nil {
		conn.Close()
		t.Error("Emma still reaches it after she was revoked")
	}
	if !reaches(t, fadis, fadi) {
		t.Error("Fadi does not reach it after Emma was revoked")
	}

	// A node that hangs is started again.
	hung := processesIn(filepath.Join(h.Directory(), "node"))
	for _, pid := range hung {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	eventually(t, "another node answers", func() bool {
		left := slices.ContainsFunc(processesIn(filepath.Join(h.Directory(), "node")), func(pid int) bool { return slices.Contains(hung, pid) })
		return len(hung) > 0 && !left && published(t, h)
	})
	if !reaches(t, fadis, fadi) {
		t.Error("Fadi does not reach it after the node hung")
	}
	if system.Err() != nil {
		t.Error("the system's tor was ended")
	}
}
