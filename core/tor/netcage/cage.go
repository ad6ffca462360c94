package netcage

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Cage is the network that this process is in. All methods may be called from
// any goroutine.
type Cage struct {
	socket  *os.File
	watcher sync.WaitGroup
	marking sync.Mutex // held while a mark is on its way

	mu         sync.Mutex
	packets    map[Packet]int
	neighbours int
	lost       int // packets the kernel had no room for
	mark       netip.AddrPort
	marked     chan struct{} // closed when the mark was seen
	err        error         // how recording ended
}

// watch begins to record.
func watch() (*Cage, error) {
	socket, err := listen()
	if err != nil {
		return nil, fmt.Errorf("recording packets: %w", err)
	}
	c := &Cage{socket: socket, packets: make(map[Packet]int)}
	c.watcher.Add(1)
	go c.record()
	return c, nil
}

func (c *Cage) close() {
	c.socket.Close()
	c.watcher.Wait()
}

func (c *Cage) record() {
	defer c.watcher.Done()
	raw, err := c.socket.SyscallConn()
	names := make(map[int]string) // of interfaces
	b := make([]byte, snapLength)
	for err == nil {
		var n int
		var from unix.Sockaddr
		var rerr error
		err = raw.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), b, 0)
			return rerr != unix.EAGAIN
		})
		link, ok := from.(*unix.SockaddrLinklayer)
		if err != nil || rerr != nil || !ok {
			continue // a network interface that goes down is no end
		}
		name, known := names[link.Ifindex]
		if !known {
			name = interfaceName(link.Ifindex)
			names[link.Ifindex] = name
		}
		p, neighbour := decode(bigEndian(link.Protocol), b[:n])
		p.Interface = name
		c.saw(p, neighbour)
	}
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
}

func interfaceName(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return fmt.Sprint("interface ", index)
}

func (c *Cage) saw(p Packet, neighbour bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case neighbour:
		c.neighbours++
	case p.To.Addr() == markAddress:
		if p.To == c.mark && c.marked != nil {
			close(c.marked)
			c.marked = nil
		}
	default:
		c.packets[p]++
	}
}

// Nobody but sync sends anything to this address.
var markAddress = netip.MustParseAddr("10.99.0.99")

const markWait = 10 * time.Second

// sync returns when all packets that were sent before it are recorded: one of
// its own comes after them.
func (c *Cage) sync() error {
	c.marking.Lock()
	defer c.marking.Unlock()
	marked := make(chan struct{})
	c.mu.Lock()
	c.mark = netip.AddrPortFrom(markAddress, c.mark.Port()%60_000+1)
	c.marked = marked
	to := c.mark
	c.mu.Unlock()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err == nil {
		defer conn.Close()
		_, err = conn.Write([]byte("mark"))
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), markWait)
	defer cancel()
	select {
	case <-marked:
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("packets are not recorded any more (%v)", c.err)
	}
	return c.complete()
}

// complete fails if packets were lost: then nothing is known of them.
func (c *Cage) complete() error {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cerr := raw.Control(func(fd uintptr) {
		var stats *unix.TpacketStats
		if stats, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			c.lost += int(stats.Drops) // since it was asked last
		}
	})
	switch {
	case cerr != nil:
		return cerr
	case err != nil:
		return err
	case c.lost > 0:
		return fmt.Errorf("%d packets came faster than they could be recorded", c.lost)
	}
	return nil
}

// Seen returns every packet there was so far, and how often, but for those with
// which the kernel gets to know its neighbours. It fails the test unless that is all.
func (c *Cage) Seen(t testing.TB) map[Packet]int {
	t.Helper()
	if err := c.sync(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.packets)
}

// Leaks returns the packets that were not for one of the allowed addresses, and
// no answer from there, in the order of their text.
func (c *Cage) Leaks(t testing.TB, allowed []netip.AddrPort) (leaks []Packet) {
	t.Helper()
	for p := range c.Seen(t) {
		if !p.goesTo(allowed) {
			leaks = append(leaks, p)
		}
	}
	slices.SortFunc(leaks, func(a, b Packet) int { return strings.Compare(a.String(), b.String()) })
	return leaks
}
