package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
	"hiddenbackup/tahoeclient"
)

// Two storage nodes behind onion services of a private Tor network, and a
// gateway that has nothing but a tor of its own.
func TestGatewayStoresThroughOnionServices(t *testing.T) {
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	began := time.Now()
	network, err := tornet.Start(deadline(t, 90*time.Second), tornet.Config{Dir: nodetest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	t.Logf("the private network is up after %v", time.Since(began))

	grid, err := node.StartPractice(deadline(t, 2*time.Minute), node.PracticeConfig{
		Dir: filepath.Join(nodetest.Dir(t), "grid"), Nodes: 2, Needed: 1, Happy: 1, Total: 2,
		Onions: true,
		Onion: &node.Onion{
			TorSocks: network.Host().Socks(),
			Offer: func(ctx context.Context, _ string, port int) (string, error) {
				address, err := network.OnionService(ctx, port, 3457)
				return fmt.Sprintf("tor:%s:3457", address), err
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { grid.Close() })
	t.Logf("the storage nodes answer after %v", time.Since(began))
	for _, s := range grid.Servers() {
		if !strings.Contains(s.Furl, "@tor:") || strings.Contains(s.Furl, "127.0.0.1") {
			t.Errorf("%v is not behind an onion service only", s)
		}
	}

	client, err := tor.Start(deadline(t, 30*time.Second), tor.Config{
		Source: tor.Own, Dir: nodetest.Dir(t), AllowDisk: true, Private: network.ClientConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.WaitBootstrapped(deadline(t, 40*time.Second)); err != nil {
		t.Fatal(err)
	}
	cfg := nodetest.ConfigFor(t, grid.Grid())
	cfg.TorSocks = client.Socks()
	began = time.Now()
	g := startGateway(t, cfg)
	if n, err := g.WaitServers(deadline(t, 60*time.Second), 2); err != nil {
		t.Fatalf("%d servers: %v", n, err)
	}
	t.Logf("both are usable after %v", time.Since(began))
	storeAndFetch(t, g)

	// Without tor there is no way to them, and no other is tried.
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "no server is usable", func() bool {
		n, err := g.WaitServers(deadline(t, 5*time.Second), 0)
		return err == nil && n == 0
	})
}

func storeAndFetch(t *testing.T, g *node.Gateway) {
	t.Helper()
	client := tahoeclient.New(g.Socket(), node.Tor.ClientOptions())
	defer client.Close()
	content := make([]byte, 1<<20)
	rand.Read(content)
	began := time.Now()
	file, err := client.Put(deadline(t, 60*time.Second), bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	put := time.Since(began)
	got, err := client.ReadAll(deadline(t, 60*time.Second), file, 0, int64(len(content)))
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("what came back is not what was stored: %v", err)
	}
	t.Logf("1 MiB stored in %v and fetched in %v", put, time.Since(began)-put)
}
