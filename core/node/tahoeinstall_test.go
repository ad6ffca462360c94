package node

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a person is told to install is what this program is tested with.
func TestTheLineThatInstallsTahoeHasAllOfIt(t *testing.T) {
	script, err := os.ReadFile("../../scripts/deps")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^tahoe_packages="([^"]+)"`).FindSubmatch(script)
	if list == nil {
		t.Fatal("scripts/deps names no packages")
	}
	told := strings.Fields(strings.TrimPrefix(InstallTahoe, "sudo apt install "))
	want := strings.Fields(string(list[1]))
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("people are told to install %q, and scripts/deps installs %q", told, want)
	}
}
