// Package deps holds the test of who may import whom; there is no code in the
// module's root.
package deps

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rules say what must not be among a package's dependencies, and why.
var rules = []struct {
	pkg    string
	banned []string
	why    string
}{
	{"hiddenbackup/tahoeclient", []string{"hiddenbackup/core", "hiddenbackup/cmd", "hiddenbackup/ui"}, "the client of the web API knows nothing of us"},
	{"hiddenbackup/core/progress", []string{"hiddenbackup/"}, "progress is a leaf: the engine must not be called back"},
	{"hiddenbackup/core/internal/process", []string{"hiddenbackup/"}, "a supervised process knows nothing of what it runs"},
	{"hiddenbackup/core/tor", []string{"hiddenbackup/core/node", "hiddenbackup/core/manifest", "hiddenbackup/tahoeclient"}, "tor knows nothing of grids"},
	{"hiddenbackup/core/node", []string{"hiddenbackup/core/tor", "hiddenbackup/core/manifest"}, "a node is told where tor is"},
	{"hiddenbackup/core/host", []string{"hiddenbackup/core/vault", "hiddenbackup/core/backup", "hiddenbackup/core/restore", "hiddenbackup/core/snapshot", "github.com/spf13", "hiddenbackup/cmd"}, "a host lends disk and reads nothing of what is on it"},
	{"hiddenbackup/core/snapshot", []string{"hiddenbackup/core/"}, "formats touch no disk and no network"},
	{"hiddenbackup/core/manifest", []string{"hiddenbackup/core/"}, "the manifest is read before anything else works"},
	{"hiddenbackup/core/vault", []string{"hiddenbackup/core/backup", "hiddenbackup/core/restore", "hiddenbackup/core/internal", "hiddenbackup/core/node"}, "the vault knows no files and no processes"},
	{"hiddenbackup/core/backup", []string{"hiddenbackup/core/restore", "hiddenbackup/core/node", "hiddenbackup/core/manifest"}, "the write path knows nothing of the read path or of how the grid is reached"},
	{"hiddenbackup/core/restore", []string{"hiddenbackup/core/backup", "hiddenbackup/core/node", "hiddenbackup/core/manifest"}, "the read path knows nothing of the write path or of how the grid is reached"},
	{"hiddenbackup/core/retain", []string{"hiddenbackup/core/vault", "hiddenbackup/core/backup", "hiddenbackup/core/internal", "hiddenbackup/core/node"}, "keep rules are decided without a grid"},
	{"hiddenbackup/core", []string{"hiddenbackup/cmd", "hiddenbackup/ui", "github.com/spf13", "github.com/gotk3"}, "core serves every front end and knows none"},
	{"hiddenbackup/cmd/hidden-backup", []string{"hiddenbackup/ui", "github.com/gotk3", "runtime/cgo"}, "the command line builds without cgo"},
	{"hiddenbackup/assets", []string{"hiddenbackup/"}, "assets are files, and know nobody"},
}

func TestDependenciesPointDownwards(t *testing.T) {
	for _, r := range rules {
		cmd := exec.Command("go", "list", "-deps", r.pkg)
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", r.pkg, err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 2 {
			t.Fatalf("go list found only %q for %s", deps, r.pkg)
		}
		for _, dep := range deps {
			for _, banned := range r.banned {
				if dep != r.pkg && strings.HasPrefix(dep, banned) && !(banned == "hiddenbackup/core/" && dep == "hiddenbackup/core/snapshot") {
					t.Errorf("%s depends on %s: %s", r.pkg, dep, r.why)
				}
			}
		}
	}
}

// belowCore is what no front end asks.
var belowCore = []string{"hiddenbackup/tahoeclient", "hiddenbackup/core/vault", "hiddenbackup/core/node", "hiddenbackup/core/tor", "hiddenbackup/core/internal"}

// What a front end may import below core is plain data values only.
func TestTheCommandLineImportsOnlyWhatItMay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "hiddenbackup/cmd/hidden-backup").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		for _, banned := range belowCore {
			if strings.HasPrefix(dep, banned) {
				t.Errorf("the command line imports %s: ask core instead", dep)
			}
		}
	}
}

// What the window may import is what the command line may, and tails; and nobody
// but the window imports gotk3, whose first build takes minutes.
func TestOnlyTheWindowKnowsGTK(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		pkg := imports[0]
		for _, dep := range imports[1:] {
			switch {
			case strings.HasPrefix(dep, "github.com/gotk3"):
				found = true
				if pkg != "hiddenbackup/ui" && !strings.HasPrefix(pkg, "hiddenbackup/ui/uitest/testdata/") {
					t.Errorf("%s imports %s: only ui does", pkg, dep)
				}
			case pkg != "hiddenbackup/ui" && pkg != "hiddenbackup/cmd/hidden-backup-gtk":
			case slices.ContainsFunc(belowCore, func(banned string) bool { return strings.HasPrefix(dep, banned) }):
				t.Errorf("%s imports %s: ask core instead", pkg, dep)
			}
		}
	}
	if !found {
		t.Error("go list found no package that imports gotk3")
	}
}

// Paper and pictures carry a manifest; they know nothing else of ours.
func TestPaperKnowsManifestsOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "hiddenbackup/core/paper").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if strings.HasPrefix(dep, "hiddenbackup/") && dep != "hiddenbackup/core/manifest" {
			t.Errorf("core/paper imports %s: it may know core/manifest only", dep)
		}
	}
}
