package host

import (
	"testing"
	"time"

	"hiddenbackup/core/tor"
)

// PretendTails makes this system one until the test ends, with that tor as the
// system's.
func PretendTails(t testing.TB, system tor.Config) {
	beforeTails, beforeTor := onTails, systemTor
	onTails, systemTor = func() bool { return true }, system
	t.Cleanup(func() { onTails, systemTor = beforeTails, beforeTor })
}

// Agree is what a typed yes does.
func Agree(h *Host) error { return h.prepare(func(s *state) { s.Agreed = true }) }

// HangsAfter makes a node count as hanging sooner, until the test ends.
func HangsAfter(t testing.TB, d time.Duration) {
	before := hangs
	hangs = d
	t.Cleanup(func() { hangs = before })
}
