package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/netcage"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
)

// All that a person does with an onion grid, in a network in which every packet
// is seen: what is not for the private Tor network, or from its onion services
// to the storage nodes behind them, is a leak. On loopback, too: our gateway and
// our tor are spoken to over UNIX sockets only.
func TestNoPacketLeavesButThroughTor(t *testing.T) {
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	netcage.Run(t, func(t *testing.T, cage *netcage.Cage) {
		began, told := time.Now(), make(map[netcage.Packet]bool)
		grid := newOnionGrid(t)
		noLeak := func(when string) {
			t.Helper()
			t.Logf("%5.1f s: %s", time.Since(began).Seconds(), when)
			for _, p := range cage.Leaks(t, grid.allowed) {
				if !told[p] {
					t.Errorf("%s: a packet that is not for Tor: %v", when, p)
				}
				told[p] = true
			}
		}
		noLeak("the grid started")
		host, port := grid.hostStarts(t)
		tr := grid.traveller(t)
		grid.allow(port()) // the node behind one more onion service
		noLeak("host enable, manifest create")

		// Two packs are on their way to the servers when tor is gone.
		tr.write("film", 24<<20)
		run := tr.overTor("backup")
		run.reach(17 << 20)
		tr.breakTor()
		noLeak("backup, and then no tor")
		status := tr.overTor("status")
		status.wait()
		if code := status.cmd.ProcessState.ExitCode(); code != core.ExitGrid || !strings.Contains(status.stderr.String(), "There is no tor on this computer") {
			t.Errorf("without tor status ends with %d: %s", code, &status.stderr)
		}
		noLeak("status without tor")
		tr.mendTor()
		if err := run.wait(); err != nil {
			t.Errorf("once tor was back the backup ended with %v: %s", err, &run.stderr)
		}
		noLeak("tor came back, and the backup went on to its end")

		out := t.TempDir()
		for _, args := range [][]string{
			// The first ones go through a gateway that is kept, with a tor that is too;
			// rehearse, a blank computer, has its own.
			{"gateway", "start"}, {"status"}, {"check"}, {"rehearse"}, {"gateway", "stop"},
			{"restore", "--target", out},
		} {
			run := tr.overTor(args...)
			run.wait()
			// What was sent while not all servers were back is on fewer than planned.
			if code := run.cmd.ProcessState.ExitCode(); code != core.ExitDone && !(code == core.ExitSkipped && args[0] == "check") {
				t.Errorf("%v ended with %d: %s", args, code, &run.stderr)
			}
			noLeak(strings.Join(args, " "))
			if kept := len(tr.torPIDs()) > 0; kept != (args[0] != "restore" && args[len(args)-1] != "stop") {
				t.Errorf("after %v a tor runs: %v", args, kept)
			}
		}
		if diff, err := exec.Command("diff", "-r", tr.path("papers"), filepath.Join(out, "papers")).CombinedOutput(); err != nil {
			t.Errorf("restored differently: %s", diff)
		}
		for _, what := range []string{"status", "disable"} {
			host.mustRun("host", what)
		}
		noLeak("host status, disable")
		// A cage that sees nothing at all finds no leak either.
		seen := 0
		for p := range cage.Seen(t) {
			if p.Opens {
				seen++
			}
		}
		if seen < 20 {
			t.Errorf("only %d connections were seen", seen)
		}
	})
}

// onionGrid is six storage nodes behind onion services of a private Tor
// network, as “practice start --onion” makes them, but so that they die with
// the test.
type onionGrid struct {
	dir     string
	allowed []netip.AddrPort // where packets may go: all of them are on loopback
}

func newOnionGrid(t *testing.T) *onionGrid {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := &onionGrid{dir: filepath.Join(nodetest.Dir(t), "grid")}
	var err error
	if practice.tahoe, err = node.FindTahoe(); err != nil {
		t.Fatal(err)
	}
	networkDir := nodetest.Dir(t)
	network, err := tornet.Start(ctx, tornet.Config{Dir: networkDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	grid, err := node.StartPractice(ctx, node.PracticeConfig{
		Dir: o.dir, Nodes: 6, Needed: 3, Onions: true,
		Onion: &node.Onion{
			TorSocks: network.Host().Socks(),
			Offer: func(ctx context.Context, _ string, port int) (string, error) {
				// The other end of an onion service: from the network's own
				// tor to the node.
				o.allow(port)
				address, err := network.OnionService(ctx, port, 3457)
				return fmt.Sprintf("tor:%s:3457", address), err
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { grid.Close() })
	o.allowNetwork(t, networkDir)
	// What “--tor practice:DIR” reads.
	lines, err := json.Marshal(network.ClientConfig())
	if err == nil {
		err = os.WriteFile(filepath.Join(o.dir, "network.json"), lines, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// hostStarts is somebody who begins to host another storage node. What is
// returned gives the node's port once it is published.
func (o *onionGrid) hostStarts(t *testing.T) (h *hostComputer, port func() int) {
	t.Helper()
	h = newHostComputer(t, copyOfSelf(t), "practice:"+o.dir)
	home := t.TempDir()
	h.env = append(h.env, "XDG_DATA_HOME="+home)
	said, failed := "", error(nil)
	published := make(chan struct{})
	go func() {
		defer close(published)
		said, failed = h.run("host", "enable", "--wait", "90s")
	}()
	return h, func() int {
		t.Helper()
		<-published
		if failed != nil {
			t.Fatalf("host enable: %v: %s", failed, said)
		}
		var state struct{ Port int }
		text, err := os.ReadFile(filepath.Join(home, "hidden-backup", "host", "storage", "state.json"))
		if err == nil {
			err = json.Unmarshal(text, &state)
		}
		if err != nil || state.Port == 0 {
			t.Fatalf("what the host noted: %v: %s", err, text)
		}
		return state.Port
	}
}

func (o *onionGrid) allow(port int) {
	o.allowed = append(o.allowed, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
}

var listens = regexp.MustCompile(`(?m)^(?:ORPort|DirPort) 127\.0\.0\.1:([0-9]+)$`)

// allowNetwork allows what the authorities and relays of a network listen on.
func (o *onionGrid) allowNetwork(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "torrc"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no relays in %s: %v", dir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := listens.FindAllSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s names no port", file)
		}
		for _, match := range found {
			port, _ := strconv.Atoi(string(match[1]))
			o.allow(port)
		}
	}
}

// onionTraveller is a traveller to an onion grid, with a tor of her own that
// can be taken away.
type onionTraveller struct {
	*traveller
	grid *onionGrid
	tor  string // what her tor is called; a link
	real string // where that leads
}

func (o *onionGrid) traveller(t *testing.T) *onionTraveller {
	t.Helper()
	real, err := tor.FindTor()
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := os.MkdirTemp("/dev/shm", "hb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	tr := &onionTraveller{&traveller{t: t, home: t.TempDir(), runtime: runtime}, o, filepath.Join(t.TempDir(), "tor"), real}
	tr.env = []string{tor.TorVariable + "=" + tr.tor}
	tr.mendTor()
	if err := os.Mkdir(tr.path("papers"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := tr.overTor("manifest", "create", "--practice", "--dir", o.dir, "--folder", tr.path("papers"), "-o", tr.path("her.manifest"))
	if err := run.wait(); err != nil {
		t.Fatalf("manifest create: %v: %s", err, &run.stderr)
	}
	return tr
}

// overTor starts a run through a tor of its own.
func (tr *onionTraveller) overTor(args ...string) *running {
	tr.t.Helper()
	args = append(args, "--tor", "practice:"+tr.grid.dir)
	if args[0] != "manifest" {
		args = append(args, "-m", tr.path("her.manifest"))
	}
	return tr.start(args...)
}

// breakTor ends the tor of a run, and lets it find no other.
func (tr *onionTraveller) breakTor() {
	tr.t.Helper()
	if err := os.Remove(tr.tor); err != nil {
		tr.t.Fatal(err)
	}
	pids := tr.torPIDs()
	if len(pids) == 0 {
		tr.t.Fatal("no tor is running")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			tr.t.Fatal(err)
		}
	}
}

func (tr *onionTraveller) mendTor() {
	tr.t.Helper()
	if err := os.Symlink(tr.real, tr.tor); err != nil {
		tr.t.Fatal(err)
	}
}

// torPIDs are the processes of her tor. The shell around it has the same
// arguments, after its own.
func (tr *onionTraveller) torPIDs() (pids []int) {
	tr.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		tr.t.Fatal(err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && strings.HasPrefix(string(line), tr.tor+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// A check is worth something only if it fails when it should: here a gateway is
// set up past all of ours, with servers on the open internet, one of them by name.
func TestGatewayThatLeaksIsCaught(t *testing.T) {
	nodetest.RequireTahoe(t)
	netcage.Run(t, func(t *testing.T, cage *netcage.Cage) {
		tahoe, err := node.FindTahoe()
		if err != nil {
			t.Fatal(err)
		}
		dir := nodetest.Dir(t)
		servers := map[string]any{}
		for i, host := range []string{"203.0.113.7", "storage.example"} {
			letter := string(rune('a' + i))
			servers["v0-"+strings.Repeat(letter, 51)+"a"] = map[string]any{"ann": map[string]string{
				"nickname": host, "anonymous-storage-FURL": "pb://" + strings.Repeat(letter, 32) + "@tcp:" + host + ":3457/swissnum"}}
		}
		list, err := json.Marshal(map[string]any{"storage": servers})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"tahoe-client.tac":     "",
			"private/servers.yaml": string(list),
			"tahoe.cfg": "[node]\nweb.port = unix:" + dir + "/web.sock:mode=600\ntub.port = disabled\ntub.location = disabled\n" +
				"[client]\nforce_foolscap = true\n[storage]\nenabled = false\n[connections]\ntcp = tcp\n",
		} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// It ends when its standard input does.
		gateway := exec.Command(tahoe, "run", dir)
		stdin, err := gateway.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := gateway.Start(); err != nil {
			t.Fatal(err)
		}
		defer gateway.Wait()
		defer stdin.Close()
		caught := func() (address, name bool) {
			for _, p := range cage.Leaks(t, nil) {
				address = address || p.Opens && p.To.String() == "203.0.113.7:3457"
				name = name || p.DNS()
			}
			return address, name
		}
		deadline := time.Now().Add(30 * time.Second)
		for address, name := caught(); !address || !name; address, name = caught() {
			if time.Now().After(deadline) {
				t.Fatalf("caught the address: %v, the name: %v", address, name)
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}
