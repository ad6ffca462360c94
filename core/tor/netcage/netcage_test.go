package netcage

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each of these would be a way out: all must be seen on their way. None of them
// comes to an end by itself in time.
func TestWhatLeavesIsSeen(t *testing.T) {
	Run(t, func(t *testing.T, c *Cage) {
		if leaks := c.Leaks(t, nil); len(leaks) != 0 {
			t.Errorf("before anything was sent: %v", leaks)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var under sync.WaitGroup
		attempt := func(what func()) {
			under.Add(1)
			go func() {
				defer under.Done()
				what()
			}()
		}
		var d net.Dialer
		for _, address := range []string{"203.0.113.7:3457", "[2001:db8::7]:3457", "127.0.0.7:9"} {
			attempt(func() {
				if conn, err := d.DialContext(ctx, "tcp", address); err == nil {
					conn.Close()
					t.Errorf("something answered at %s", address)
				}
			})
		}
		for _, address := range []string{"203.0.113.8:123", "[2001:db8::8]:123", "224.0.0.251:5353", "[::1]:9"} {
			attempt(func() {
				conn, err := d.DialContext(ctx, "udp", address)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				conn.Write([]byte("hello"))
			})
		}
		// Tahoe and tor ask the C library.
		attempt(func() { exec.CommandContext(ctx, "getent", "hosts", "storage.example").Run() })

		eventually(t, c, []string{
			"lo: tcp → 127.0.0.7:9", "lo: udp → [::1]:9",
			"way-out: tcp → 203.0.113.7:3457", "way-out: tcp → [2001:db8::7]:3457",
			"way-out: udp → 203.0.113.8:123", "way-out: udp → [2001:db8::8]:123", "way-out: udp → 224.0.0.251:5353",
			"way-out: udp (DNS) → 10.99.0.53:53",
		})
		cancel()
		under.Wait()
	})
}

// eventually waits until each of these was seen.
func eventually(t *testing.T, c *Cage, want []string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		seen := make(map[string]bool)
		for _, p := range c.Leaks(t, nil) {
			before, _, _ := strings.Cut(p.String(), p.From.String())
			seen[before+"→ "+p.To.String()] = true
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return seen[w] })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not seen: %q\nseen: %v", missing, slices.Sorted(maps.Keys(seen)))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestWhatIsAllowedIsNoLeakAndNothingElse(t *testing.T) {
	Run(t, func(t *testing.T, c *Cage) {
		servers := make([]net.Listener, 2)
		for i := range servers {
			var err error
			if servers[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer servers[i].Close()
			conn, err := net.Dial("tcp", servers[i].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			// Data is not recorded, and must not make a leak of the connection.
			if _, err := conn.Write(make([]byte, 32<<10)); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
		allowed, other := netip.MustParseAddrPort(servers[0].Addr().String()), netip.MustParseAddrPort(servers[1].Addr().String())
		if leaks := c.Leaks(t, []netip.AddrPort{allowed, other}); len(leaks) != 0 {
			t.Errorf("all was allowed, and yet: %v", leaks)
		}
		leaks := c.Leaks(t, []netip.AddrPort{allowed})
		if len(leaks) == 0 {
			t.Error("what went to the other address was not seen")
		}
		for _, p := range leaks {
			if p.To != other && p.From != other {
				t.Errorf("allowed, and yet: %v", p)
			}
		}
		// Who opens a connection from an allowed port is not answering anybody.
		opening := Packet{Protocol: "tcp", From: allowed, To: other, Opens: true}
		if opening.goesTo([]netip.AddrPort{allowed}) {
			t.Error("a connection from an allowed port passes for an answer")
		}
	})
}

// A test that fails in the cage must fail outside.
func TestFailureInTheCageIsToldOutside(t *testing.T) {
	if os.Getenv("NETCAGE_TEST_FAIL") == "1" {
		Run(t, func(t *testing.T, c *Cage) { t.Error("as it should") })
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "NETCAGE_TEST_FAIL=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), errNoCage.Error()) {
		t.Skip(errNoCage)
	}
	if err == nil || !strings.Contains(string(out), "as it should") {
		t.Errorf("%v: %s", err, out)
	}
}
