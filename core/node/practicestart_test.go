package node

import (
	"os"
	"path/filepath"
	"testing"
)

// Whoever waits for a practice grid sees it come up, and never a count of before.
func TestAStartingGridSaysHowFarItIs(t *testing.T) {
	dir := t.TempDir()
	if up, of := PracticeStarting(dir); up != 0 || of != 0 {
		t.Errorf("nothing starts, and %d of %d are up", up, of)
	}
	c := &upCount{path: filepath.Join(dir, startFile), of: 6}
	for want := range 3 {
		c.add(min(want, 1))
		if up, of := PracticeStarting(dir); up != want || of != 6 {
			t.Errorf("%d of %d are up, not %d of 6", up, of, want)
		}
	}
	for _, torn := range []string{"", "7 6\n", "a b\n", "-1 6\n"} {
		if err := os.WriteFile(c.path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		if up, of := PracticeStarting(dir); up != 0 || of != 0 {
			t.Errorf("%q is read as %d of %d", torn, up, of)
		}
	}
}
