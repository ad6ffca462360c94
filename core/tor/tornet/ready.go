package tornet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
)

const (
	killed = syscall.SIGKILL

	// Below the range of outgoing ports, and apart from the practice grid's.
	firstPort, lastPort = 10000, 19999
)

// choosePorts gives every node ports that are free now.
func choosePorts(nodes []*node) error {
	taken := map[int]bool{}
	choose := func() (int, error) {
		for range 1000 {
			port := firstPort + rand.IntN(lastPort-firstPort+1)
			if !taken[port] && portFree(port) {
				taken[port] = true
				return port, nil
			}
		}
		return 0, errors.New("no free port on loopback")
	}
	for i, o := range nodes {
		var err error
		if o.orPort, err = choose(); err == nil && i < authorities {
			o.dirPort, err = choose()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func portFree(port int) bool {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err == nil {
		listener.Close()
	}
	return err == nil
}

// portTaken reports whether a node ended because somebody else was faster.
func portTaken(err error) bool {
	var exit *process.ExitError
	return errors.As(err, &exit) && strings.Contains(strings.Join(exit.Lines, "\n"), "Address already in use")
}

// waitConsensus waits until those nodes know all relays. A client that comes
// earlier, to relays that cannot tell it of the others yet, takes them for
// broken and shuns them for ten minutes.
func (n *Network) waitConsensus(ctx context.Context, nodes []*node) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := n.Err(); err != nil {
			return err
		}
		worst, known := nodes[0], len(n.nodes)
		for _, o := range nodes {
			if k := o.known(); k < known {
				worst, known = o, k
			}
		}
		if known == len(n.nodes) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s knows %d of %d relays; its last words:\n  %s\n%w", worst.name, known, len(n.nodes),
				strings.Join(worst.child.LastLines(), "\n  "), context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// known is how many authorities, and relays whose speed was voted on, are in
// the node's consensus; those only that it has a description of.
func (o *node) known() int {
	read := func(name string) []byte {
		text, _ := os.ReadFile(filepath.Join(o.dir, name)) // not there yet
		return text
	}
	consensus := read("cached-microdesc-consensus")
	relays := bytes.Count(consensus, []byte("\ns Authority ")) + bytes.Count(consensus, []byte("\nw Bandwidth="+measured+"\n"))
	// What is new is in a journal at first.
	described := bytes.Count(append(read("cached-microdescs"), read("cached-microdescs.new")...), []byte("onion-key\n"))
	return min(relays, described)
}

// forget removes what the node learned of the others.
func (o *node) forget() error {
	files, err := filepath.Glob(filepath.Join(rundir.GlobEscape(o.dir), "cached-*"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
