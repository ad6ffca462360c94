package node_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
)

const someOnion = "tor:duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion:3457"

func hosted(t *testing.T) node.HostedConfig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return node.HostedConfig{
		Dir: filepath.Join(nodetest.Dir(t), "node"), Nickname: "storage", Port: listener.Addr().(*net.TCPAddr).Port,
		Hint: someOnion, TorSocks: "unix:/no/tor/here", Reserved: 1 << 20, LeaseDays: 60,
	}
}

// A node that is hosted listens where it was told to, and is the same after a restart.
func TestHostedNodeIsTheSameAfterARestart(t *testing.T) {
	nodetest.RequireTahoe(t)
	for name, introducer := range map[string]bool{"storage": false, "introducer": true} {
		t.Run(name, func(t *testing.T) {
			cfg := hosted(t)
			cfg.Introducer = introducer
			cfg.Also = []string{"127.0.0.2"}
			var before string
			for range 2 {
				h, err := node.StartHosted(deadline(t, time.Minute), cfg)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(h.Stop)
				for _, address := range []string{"127.0.0.1", "127.0.0.2"} {
					conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, strconv.Itoa(cfg.Port)), 5*time.Second)
					if err != nil {
						t.Fatal(err)
					}
					conn.Close()
				}
				if conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.3", strconv.Itoa(cfg.Port)), time.Second); err == nil {
					conn.Close()
					t.Error("it listens where nobody told it to")
				}
				if !h.Answers() {
					t.Error("it does not answer")
				}
				now := identity(t, cfg)
				if !strings.Contains(now, "@"+someOnion+"/") || before != "" && now != before {
					t.Error("it is another now, or not behind the onion service only")
				}
				before = now
				h.Stop()
				if h.Err() != nil || h.Answers() {
					t.Errorf("stopped, it says %v", h.Err())
				}
			}
			if pids := processesIn(cfg.Dir); len(pids) > 0 {
				t.Errorf("processes %v are left", pids)
			}
		})
	}
}

func identity(t *testing.T, cfg node.HostedConfig) string {
	t.Helper()
	if cfg.Introducer {
		furl, err := node.HostedIntroducer(cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return furl
	}
	s, err := node.HostedServer(cfg.Dir)
	if err != nil || s.ID == "" || s.Seed == "" {
		t.Fatalf("%v: %v", s, err)
	}
	return s.Furl + s.ID + s.Seed
}

// The kernel takes connections for a node that hangs. Who is invited waits in vain.
func TestHostedNodeThatHangsDoesNotAnswer(t *testing.T) {
	nodetest.RequireTahoe(t)
	cfg := hosted(t)
	h, err := node.StartHosted(deadline(t, time.Minute), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	pids := processesIn(cfg.Dir)
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	if len(pids) == 0 || h.Answers() {
		t.Errorf("stopped processes %v answer", pids)
	}
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	for end := time.Now().Add(20 * time.Second); !h.Answers(); {
		if time.Now().After(end) {
			t.Fatal("it goes on and does not answer")
		}
	}
}

// A stranger on the port is not taken for the node.
func TestHostedNodeIsNotAStrangerOnItsPort(t *testing.T) {
	nodetest.RequireTahoe(t)
	cfg := hosted(t)
	h, err := node.StartHosted(deadline(t, time.Minute), cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Stop() // it has written all that it writes
	stranger, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if h, err := node.StartHosted(deadline(t, 20*time.Second), cfg); err == nil {
		h.Stop()
		t.Error("it started on a port that was taken")
	}
}

func TestHostedNodeNeedsAnOnionService(t *testing.T) {
	for name, change := range map[string]func(*node.HostedConfig){
		"an open address":     func(c *node.HostedConfig) { c.Hint = "tcp:203.0.113.7:3457" },
		"no address":          func(c *node.HostedConfig) { c.Hint = "" },
		"no tor":              func(c *node.HostedConfig) { c.TorSocks = "" },
		"no port":             func(c *node.HostedConfig) { c.Port = 0 },
		"a name to listen on": func(c *node.HostedConfig) { c.Also = []string{"localhost"} },
		"lines in a name":     func(c *node.HostedConfig) { c.Nickname = "x\n[storage]" },
		"less than nothing":   func(c *node.HostedConfig) { c.Reserved = -1 },
	} {
		cfg := hosted(t)
		change(&cfg)
		if _, err := node.StartHosted(deadline(t, 10*time.Second), cfg); !errors.Is(err, node.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(cfg.Dir); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}
