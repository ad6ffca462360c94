package node_test

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
)

// A gateway for I2P: Tahoe accepts what we write, starts, and tries its server
// through the router only. How it goes on needs a real I2P network.
func TestGatewayAsksTheI2PRouterForItsServers(t *testing.T) {
	nodetest.RequireTahoe(t)
	router, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	go func() {
		for {
			conn, err := router.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			asked <- line
			conn.Close()
		}
	}()
	t.Cleanup(func() { router.Close() })
	g := startGateway(t, node.GatewayConfig{
		Dir: nodetest.Dir(t), AllowDisk: true, Needed: 1, Happy: 1, Total: 1,
		Network: node.I2P, SAM: "tcp:" + router.Addr().String(),
		Servers: []node.Server{{
			ID: "v0-" + strings.Repeat("a", 52), Nickname: "far",
			Furl: "pb://" + strings.Repeat("b", 32) + "@i2p:" + strings.Repeat("d", 52) + ".b32.i2p:3457/swissnum",
		}},
	})
	select {
	case line := <-asked:
		if !strings.HasPrefix(line, "HELLO VERSION") {
			t.Errorf("the router was asked %q", line)
		}
	case <-deadline(t, 30*time.Second).Done():
		t.Error("the router was not asked")
	}
	if n, err := g.WaitServers(deadline(t, 10*time.Second), 0); n != 0 || err != nil {
		t.Errorf("%d servers are usable: %v", n, err)
	}
}
