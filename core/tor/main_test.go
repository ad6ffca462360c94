package tor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
)

// The test binary is also the process that owns a tor, and is killed.
const ownTor = "test-own-tor"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == bePlugin {
		plugin(os.Args[2])
	}
	if len(os.Args) == 2 && os.Args[1] == ownTor {
		var cfg tor.Config
		err := json.NewDecoder(os.Stdin).Decode(&cfg)
		if err == nil {
			_, err = tor.Start(context.Background(), cfg)
		}
		fmt.Println("started", err)
		time.Sleep(time.Hour)
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

// config is a tor of our own in the network, in a directory of the test's own.
func config(t *testing.T) tor.Config {
	t.Helper()
	return tor.Config{Source: tor.Own, Dir: directory(t), AllowDisk: true, Private: network(t).ClientConfig()}
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

func start(t *testing.T, cfg tor.Config) *tor.Tor {
	t.Helper()
	c, err := tor.Start(deadline(t, 30*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func connected(t *testing.T, cfg tor.Config) *tor.Tor {
	t.Helper()
	c := start(t, cfg)
	if err := c.WaitBootstrapped(deadline(t, 40*time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// greeter answers every connection with a word, until the test ends.
func greeter(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "hello")
			conn.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// reach dials until the service answers or an error comes that waiting does not mend.
func reach(t *testing.T, c *tor.Tor, host string, port int) error {
	t.Helper()
	ctx := deadline(t, 40*time.Second)
	for {
		conn, err := c.DialOnion(ctx, host, port)
		if err == nil {
			word, err := io.ReadAll(conn)
			conn.Close()
			if err != nil || string(word) != "hello" {
				t.Errorf("it said %q: %v", word, err)
			}
			return nil
		}
		var onion *tor.OnionError
		if !errors.As(err, &onion) || onion.Locked() || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !yes(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// processesIn are the living processes whose arguments or environment name
// the directory.
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

// torPID is the process of tor itself, below the shell.
func torPID(t *testing.T, dir string) int {
	t.Helper()
	for _, pid := range processesIn(dir) {
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.TrimSpace(string(name)) == "tor" {
			return pid
		}
	}
	t.Fatal("no tor works there")
	return 0
}

// left is what is in a directory, by name.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
