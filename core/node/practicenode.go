package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"hiddenbackup/core/internal/process"
)

const (
	suspend = syscall.SIGSTOP
	resume  = syscall.SIGCONT

	// Below the range the kernel takes outgoing ports from, so that a node
	// that was stopped finds its port again.
	firstPort, lastPort = 20000, 31999
)

// practiceWrapper gives up its place to tahoe: one process to stop, suspend or kill.
const practiceWrapper = `umask 077; exec "$@"`

// practiceNode is an introducer or a storage node on loopback.
type practiceNode struct {
	name     string
	dir      string
	tac      string // its name tells tahoe which kind of node it is
	furlFile string
	client   bool // a storage node is a client as well
	port     int

	// Behind an onion service: how others reach it, and where tor takes its
	// own connections. Empty is on loopback.
	onion    string
	torSocks string

	mu    sync.Mutex
	child *process.Process // nil if stopped
	mode  StorageMode      // of a storage node, from its next start on
}

func newIntroducer(dir string) *practiceNode {
	return &practiceNode{name: "introducer", dir: dir,
		tac: "tahoe-introducer.tac", furlFile: "private/introducer.furl"}
}

func newStorageNode(name, dir string) *practiceNode {
	return &practiceNode{name: name, dir: dir, client: true,
		tac: "tahoe-client.tac", furlFile: "private/storage.furl"}
}

// start returns when the node answers. introducer is the furl a storage node
// announces itself to, if there is one.
func (n *practiceNode) start(ctx context.Context, tahoe, introducer string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running() {
		return fmt.Errorf("starting %s: %w", n.name, ErrAlreadyRunning)
	}
	files := map[string][]byte{n.tac: nil, "tahoe.cfg": n.ini()}
	if introducer != "" {
		files["private/introducers.yaml"] = introducersYAML([]Introducer{{Name: "practice", Furl: introducer}})
	}
	if err := writeFiles(n.dir, files); err != nil {
		return err
	}
	removeStale(n.dir)
	child, err := process.Start(process.Config{
		Name: n.name,
		Argv: append([]string{"/bin/sh", "-c", practiceWrapper, "tahoe"}, runArguments(tahoe, n.dir)...),
		Env:  process.Environment(n.dir, filepath.Join(n.dir, "tmp")),
		// A suspended node does not notice that its standard input closed.
		DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	if err := n.waitReady(ctx, child); err != nil {
		child.Stop()
		return err
	}
	n.child = child
	return nil
}

func (n *practiceNode) waitReady(ctx context.Context, child *process.Process) error {
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		select {
		case <-child.Done():
			return false, child.Err()
		default:
		}
		return n.complete() && n.answers(), nil
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", n.name, err)
	}
	return nil
}

// complete reports whether the node wrote all that others need to know of it.
func (n *practiceNode) complete() bool {
	if n.client {
		_, err := n.server()
		return err == nil
	}
	_, err := n.furl()
	return err == nil
}

func (n *practiceNode) answers() bool {
	conn, err := net.DialTimeout("tcp", n.address(), 300*time.Millisecond)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func (n *practiceNode) address() string { return "127.0.0.1:" + strconv.Itoa(n.port) }

// hint is how others reach the node.
func (n *practiceNode) hint() string {
	if n.onion != "" {
		return n.onion
	}
	return "tcp:" + n.address()
}

func (n *practiceNode) ini() []byte {
	port := strconv.Itoa(n.port)
	node := [][2]string{
		{"nickname", n.name},
		{"tub.port", "tcp:" + port + ":interface=127.0.0.1"},
		{"tub.location", n.hint()},
		{"tempdir", "tmp"},
	}
	if n.onion != "" {
		node = append(node, [2]string{"reveal-IP-address", "false"})
	}
	sections := []iniSection{{"node", node}}
	if n.client {
		reserved := "0"
		if n.mode == Full {
			reserved = "1000P" // no disk has so much
		}
		sections = append(sections,
			iniSection{"client", [][2]string{{"force_foolscap", "true"}}},
			iniSection{"storage", [][2]string{
				{"enabled", "true"},
				{"readonly", strconv.FormatBool(n.mode == ReadOnly)},
				{"reserved_space", reserved},
				{"force_foolscap", "true"},
			}})
	}
	if n.onion != "" {
		sections = append(sections, iniSection{"connections", [][2]string{{"tcp", "disabled"}}}, torSection(n.torSocks), notThrough("i2p"))
	} else {
		sections = append(sections, notThrough("tor"), notThrough("i2p"))
	}
	return renderINI(sections)
}

// furl is where the node is reached. It is an error until the node wrote it
// with its present address.
func (n *practiceNode) furl() (string, error) {
	furl, err := n.read(n.furlFile)
	if err == nil && !strings.Contains(furl, "@"+n.hint()+"/") {
		err = fmt.Errorf("%s has not noted its address yet", n.name)
	}
	return furl, err
}

// server is a storage node as a gateway pins it.
func (n *practiceNode) server() (Server, error) {
	furl, err1 := n.furl()
	id, err2 := n.read("node.pubkey")
	seed, err3 := n.read("permutation-seed")
	if err := errors.Join(err1, err2, err3); err != nil {
		return Server{}, err
	}
	return Server{ID: strings.TrimPrefix(id, "pub-"), Nickname: n.name, Furl: furl, Seed: seed}, nil
}

func (n *practiceNode) read(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil {
		return "", fmt.Errorf("reading what %s wrote: %w", n.name, err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("%s of %s is empty", name, n.name)
	}
	return text, nil
}

// running is for holders of n.mu.
func (n *practiceNode) running() bool {
	if n.child == nil {
		return false
	}
	select {
	case <-n.child.Done():
		return false
	default:
		return true
	}
}

// set has an effect when the node starts.
func (n *practiceNode) set(mode StorageMode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mode = mode
}

func (n *practiceNode) stop() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child != nil {
		n.child.Stop()
		n.child = nil
	}
	return nil
}

func (n *practiceNode) kill() error {
	if err := n.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return n.stop()
}

func (n *practiceNode) signal(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running() {
		return fmt.Errorf("%s is not running", n.name)
	}
	if err := n.child.Signal(sig); err != nil {
		return fmt.Errorf("signalling %s: %w", n.name, err)
	}
	return nil
}

// choosePorts gives every node the port it had, if that is still free, or a new one.
func choosePorts(nodes []*practiceNode, before map[string]int) error {
	taken := map[int]bool{}
	for _, n := range nodes {
		if port := before[n.name]; portFree(port) && !taken[port] {
			n.port = port
			taken[port] = true
		}
	}
	for _, n := range nodes {
		for try := 0; n.port == 0; try++ {
			port := firstPort + rand.IntN(lastPort-firstPort+1)
			if !taken[port] && portFree(port) {
				n.port = port
				taken[port] = true
			}
			if try > 1000 {
				return errors.New("no free port on loopback for the practice grid")
			}
		}
	}
	return nil
}

func portFree(port int) bool {
	if port <= 0 {
		return false
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err == nil {
		listener.Close()
	}
	return err == nil
}
