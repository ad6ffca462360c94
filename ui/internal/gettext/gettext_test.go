package gettext

import "testing"

// Without a catalogue the window is English, whatever is asked.
func TestWithoutACatalogueEverythingStaysEnglish(t *testing.T) {
	Init("hidden-backup", t.TempDir())
	if got := T("Back Up"); got != "Back Up" {
		t.Errorf("T = %q", got)
	}
	if got := T(""); got != "" {
		t.Errorf("the empty message became %q", got)
	}
	if got := X("verb", "Open"); got != "Open" {
		t.Errorf("X = %q", got)
	}
	for n, want := range map[int64]string{0: "%d files", 1: "%d file", 2: "%d files"} {
		if got := N("%d file", "%d files", n); got != want {
			t.Errorf("N of %d = %q, want %q", n, got, want)
		}
	}
}
