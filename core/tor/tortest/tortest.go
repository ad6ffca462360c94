// Package tortest helps tests that run real tors.
package tortest

import (
	"os"
	"testing"

	"hiddenbackup/core/tor/tornet"
)

// RequireTor skips the test with -short or where no tor is installed that can
// make a private network. HIDDEN_BACKUP_REQUIRE_TOR=1 turns the missing tor
// into a failure.
func RequireTor(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real tor, which -short leaves out")
	}
	if err := tornet.Available(); err != nil {
		if os.Getenv("HIDDEN_BACKUP_REQUIRE_TOR") == "1" {
			t.Fatalf("a real tor is required here: %v", err)
		}
		t.Skipf("needs a real tor: %v", err)
	}
}
