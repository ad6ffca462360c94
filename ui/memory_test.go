package ui_test

import (
	"testing"

	"hiddenbackup/ui/uitest"
)

// A page that is left gives back what it took: a passphrase was typed into it,
// and a window that is open for days must not grow.
func TestWhatIsLeftIsGivenBack(t *testing.T) {
	uitest.Require(t)
	w := start(t, uitest.Options{})
	look := func() {
		w.Press("Restore After a Journey")
		w.See("Unlock the Manifest")
		w.Press("Back")
		w.See("Restore After a Journey")
	}
	times := func(n int) {
		for range n {
			look()
		}
	}
	times(10)
	before := w.Memory()
	times(30)
	if left := (w.Memory() - before) / 30; left > 60<<10 {
		t.Errorf("the page to unlock leaves %d kB behind each time", left>>10)
	}
}
