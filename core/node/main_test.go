package node_test

import (
	"context"
	"encoding/json"
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

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
)

// The test binary is also the process that owns a gateway, and the keeper.
const (
	ownGateway  = "test-own-gateway"
	ownPractice = "test-own-practice"
	beKeeper    = "test-keeper"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		switch os.Args[1] {
		case ownGateway:
			own(func(decode func(any) error) (any, error) {
				var cfg node.GatewayConfig
				if err := decode(&cfg); err != nil {
					return nil, err
				}
				return node.StartGateway(ctx, cfg)
			})
		case ownPractice:
			own(func(decode func(any) error) (any, error) {
				var cfg node.PracticeConfig
				if err := decode(&cfg); err != nil {
					return nil, err
				}
				return node.StartPractice(ctx, cfg)
			})
		case beKeeper:
			if err := node.RunKeeper(ctx, nil); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	code := m.Run()
	if shared.grid != nil {
		shared.grid.Close()
		os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// own starts what standard input describes, says where it is, and waits to be killed.
func own(start func(decode func(any) error) (any, error)) {
	it, err := start(json.NewDecoder(os.Stdin).Decode)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(it.(interface{ Dir() string }).Dir())
	time.Sleep(time.Hour)
}

var shared struct {
	once sync.Once
	dir  string
	grid *node.Practice
	err  error
}

// practice is the grid of two nodes that most tests share; they only read and upload.
func practice(t *testing.T) node.Grid {
	t.Helper()
	nodetest.RequireTahoe(t)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "hb-"); shared.err != nil {
			return
		}
		shared.grid, shared.err = node.StartPractice(deadline(t, time.Minute),
			node.PracticeConfig{Dir: shared.dir, Nodes: 2, Needed: 1, Happy: 1, Total: 2})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.grid.Grid()
}

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func startGateway(t *testing.T, cfg node.GatewayConfig) *node.Gateway {
	t.Helper()
	g, err := node.StartGateway(deadline(t, time.Minute), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !yes(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// processesIn are the living processes that work for the directory: their
// arguments or their home name it.
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

// tahoePID is the process of tahoe itself, below any wrapper.
func tahoePID(t *testing.T, dir string) (pid int) {
	t.Helper()
	eventually(t, "tahoe noted its number", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "running.process"))
		if err == nil {
			fmt.Sscan(string(data), &pid)
		}
		return pid > 0
	})
	return pid
}

func isGone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
