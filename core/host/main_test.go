package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/host"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
)

// The test binary is also the process that runs a service.
const runHost = "test-run-host"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == runHost {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		h, err := host.Open(host.Config{Service: os.Args[2]})
		if err == nil {
			err = h.Run(ctx)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if shared.network != nil {
		shared.network.Close()
	}
	os.RemoveAll(shared.dir)
	os.Exit(code)
}

var shared struct {
	once    sync.Once
	dir     string
	network *tornet.Network
	err     error
}

// network is the private Tor network that the tests share.
func network(t *testing.T) *tornet.Network {
	t.Helper()
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "hb-"); shared.err != nil {
			return
		}
		began := time.Now()
		shared.network, shared.err = tornet.Start(deadline(t, 90*time.Second), tornet.Config{Dir: shared.dir})
		t.Logf("the private network is up after %v", time.Since(began))
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.network
}

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// home is a person's account on a computer, empty but for the programs.
// Nothing may run in it at the end.
func home(t *testing.T) (runtime string) {
	t.Helper()
	tahoe, err := node.FindTahoe()
	if err == nil {
		t.Setenv(node.TahoeVariable, tahoe)
	}
	runtime, err = os.MkdirTemp("/dev/shm", "hb-")
	if err != nil {
		t.Fatal(err)
	}
	dir := nodetest.Dir(t)
	t.Cleanup(func() {
		if pids := append(processesIn(runtime), processesIn(dir)...); len(pids) > 0 {
			t.Errorf("processes %v are left", pids)
		}
		os.RemoveAll(runtime)
	})
	t.Setenv("HOME", dir)
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	return runtime
}

// open is the service of that name in the home that home made.
func open(t *testing.T, service string, lines []string) *host.Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(host.Config{Service: service, Program: []string{self, runHost, service}, Private: lines})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// enable returns when the service is published.
func enable(t *testing.T, h *host.Host) host.Status {
	t.Helper()
	began := time.Now()
	s, err := h.Enable(deadline(t, 90*time.Second), false, 80*time.Second)
	if err != nil || !s.Running || !s.Published {
		t.Fatalf("it is not published: %+v, %v", s, err)
	}
	t.Logf("published after %v", time.Since(began))
	t.Cleanup(func() {
		if err := h.Disable(); err != nil && !errors.Is(err, host.ErrNotRunning) {
			t.Error(err)
		}
	})
	return s
}

func invite(t *testing.T, h *host.Host, i host.Invitation) *host.Invite {
	t.Helper()
	invite, err := h.Invite(i)
	if err != nil {
		t.Fatal(err)
	}
	// As it arrives at the other end.
	text, err := invite.Text()
	if err != nil {
		t.Fatal(err)
	}
	got, err := host.ParseInvites([]byte("Hello!\n> " + text))
	if err != nil || len(got) != 1 {
		t.Fatalf("%d invites: %v", len(got), err)
	}
	return got[0]
}

// person is a tor with what the invites hold.
func person(t *testing.T, invites ...*host.Invite) *tor.Tor {
	t.Helper()
	c, err := tor.Start(deadline(t, 30*time.Second), tor.Config{
		Source: tor.Own, Dir: nodetest.Dir(t), AllowDisk: true, Private: network(t).ClientConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.WaitBootstrapped(deadline(t, 40*time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, i := range invites {
		if !i.HasKey() {
			continue
		}
		key, err := tor.ParseClientKey(strings.ToUpper(i.Server.OnionKey.Base32()))
		if err == nil {
			address, _ := onionOf(t, i)
			err = c.AddClientAuth(deadline(t, 10*time.Second), address, key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func onionOf(t *testing.T, i *host.Invite) (address string, port int) {
	t.Helper()
	hint := strings.Split(i.Server.Furl.Hints()[0], ":")
	port, err := strconv.Atoi(hint[2])
	if err != nil || hint[0] != "tor" {
		t.Fatalf("the hint %q: %v", hint, err)
	}
	return hint[1], port
}

// reaches asks whether the person's tor comes to the service of the invite.
// One that was just announced anew may take a while; a closed door is closed at once.
func reaches(t *testing.T, c *tor.Tor, i *host.Invite) bool {
	t.Helper()
	address, port := onionOf(t, i)
	// Whoever knew the service before it was started anew first goes through its
	// old introduction points, with circuits that a busy machine builds slowly.
	ctx := deadline(t, 2*time.Minute)
	for {
		conn, err := c.DialOnion(ctx, address, port)
		if err == nil {
			conn.Close()
			return true
		}
		var onion *tor.OnionError
		if !errors.As(err, &onion) && ctx.Err() == nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil || onion.Locked() {
			return false
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// processesIn are the living processes whose arguments or environment name the
// directory.
func processesIn(dir string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			data, _ := os.ReadFile(filepath.Join("/proc", e.Name(), file))
			if strings.Contains(string(data), dir) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}
