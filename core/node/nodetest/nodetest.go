// Package nodetest helps tests that run real Tahoe nodes.
package nodetest

import (
	"os"
	"testing"

	"hiddenbackup/core/node"
)

// RequireTahoe skips the test with -short or where no Tahoe is installed.
// HIDDEN_BACKUP_REQUIRE_GRID=1 turns the missing Tahoe into a failure.
func RequireTahoe(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real Tahoe, which -short leaves out")
	}
	if _, err := node.FindTahoe(); err != nil {
		if os.Getenv("HIDDEN_BACKUP_REQUIRE_GRID") == "1" {
			t.Fatalf("a real Tahoe is required here: %v", err)
		}
		t.Skipf("needs a real Tahoe: %v", err)
	}
}

// ConfigFor is a gateway to the practice grid, in a directory of the test's own.
func ConfigFor(t testing.TB, grid node.Grid) node.GatewayConfig {
	t.Helper()
	cfg := grid.Gateway()
	cfg.Dir, cfg.AllowDisk = Dir(t), true
	return cfg
}

// Dir is an empty directory that is ours alone, with a path short enough for
// sockets. t.TempDir is neither.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
