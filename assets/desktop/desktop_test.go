// Package desktop holds the test of the files that make the window part of a
// desktop: menu entry, description for software centres, icons, manual page.
package desktop

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// id is ui.ID; the desktop finds a window's files by it.
const id = "org.hiddenbackup.HiddenBackup"

// validate runs a program, of that Debian package, that judges a file.
func validate(t *testing.T, pkg, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("HIDDEN_BACKUP_REQUIRE_WINDOW") == "1" {
			t.Fatalf("%s (package %s) is required here", name, pkg)
		}
		t.Skipf("needs %s (package %s)", name, pkg)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

func TestMenuEntry(t *testing.T) {
	validate(t, "desktop-file-utils", "desktop-file-validate", "--warn-kde", id+".desktop")
	text, err := os.ReadFile(id + ".desktop")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nExec=hidden-backup-gtk\n", "\nIcon=" + id + "\n", "\nStartupWMClass=" + id + "\n", "\nCategories=GTK;Utility;"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the menu entry lacks %q", want)
		}
	}
}

func TestDescriptionForSoftwareCentres(t *testing.T) {
	validate(t, "appstream", "appstreamcli", "validate", "--no-net", id+".metainfo.xml")
}

func TestManualPage(t *testing.T) {
	validate(t, "man-db", "man", "--warnings", "-l", "-Tutf8", "hidden-backup-gtk.1")
}

// An icon that is no XML is an empty square in the menu.
func TestIconsAreWellFormed(t *testing.T) {
	for _, name := range []string{id + ".svg", id + "-symbolic.svg"} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d := xml.NewDecoder(f)
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
