package ui

import (
	"os/exec"
	"path/filepath"
	"testing"

	"hiddenbackup/ui/uitest"
)

// A person who reads Arabic must not meet an English sentence on the page that
// matters: every catalogue is valid, and has every message of this version.
func TestEveryLanguageIsComplete(t *testing.T) {
	uitest.Require(t)
	pot := filepath.Join(t.TempDir(), "hidden-backup.pot")
	if out, err := exec.Command("../scripts/messages", pot).CombinedOutput(); err != nil {
		t.Fatalf("making the template: %v\n%s", err, out)
	}
	languages, err := filepath.Glob("../po/*.po")
	if err != nil || len(languages) < 8 {
		t.Fatalf("there are %d languages: %v", len(languages), err)
	}
	for _, po := range languages {
		t.Run(filepath.Base(po), func(t *testing.T) {
			if out, err := exec.Command("msgfmt", "--check", "-o", "/dev/null", po).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if out, err := exec.Command("msgcmp", po, pot).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
