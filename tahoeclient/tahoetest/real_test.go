package tahoetest_test

import (
	"path/filepath"
	"testing"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// What the in-memory gateway is held to, the real one does.
func TestRealGatewayConforms(t *testing.T) {
	nodetest.RequireTahoe(t)
	practice, err := node.StartPractice(t.Context(), node.PracticeConfig{Dir: filepath.Join(nodetest.Dir(t), "grid"), Nodes: 5, Needed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer practice.Close()
	gateway, err := node.StartGateway(t.Context(), nodetest.ConfigFor(t, practice.Grid()))
	if err != nil {
		t.Fatal(err)
	}
	defer gateway.Close()
	if _, err := gateway.WaitServers(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	tahoetest.Conformance(t, func(t *testing.T) *tahoeclient.Client {
		c := tahoeclient.New(gateway.Socket(), tahoeclient.Options{})
		t.Cleanup(c.Close)
		return c
	})
}
