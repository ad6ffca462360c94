package restore

import "testing"

// SetWindow makes windows small until the test ends, so that small files are
// large ones.
func SetWindow(t testing.TB, n int64) {
	window, sync := windowBytes, syncBytes
	windowBytes, syncBytes = n, n
	t.Cleanup(func() { windowBytes, syncBytes = window, sync })
}
