package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTahoe is a program that says what is told, and fails if code is not 0.
func fakeTahoe(t *testing.T, dir, says string, code string) string {
	t.Helper()
	path := filepath.Join(dir, "tahoe")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncat <<'END'\n" + says + "\nEND\nexit " + code + "\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// onlyTheseTahoes hides the machine's own.
func onlyTheseTahoes(t *testing.T, named, path, cache string) {
	t.Setenv(TahoeVariable, named)
	t.Setenv("PATH", path+":/usr/sbin-none:/bin")
	t.Setenv("XDG_CACHE_HOME", cache)
}

func TestTahoeIsLookedForInOrder(t *testing.T) {
	base := t.TempDir()
	cache := filepath.Join(base, "cache")
	named := fakeTahoe(t, filepath.Join(base, "named"), "tahoe-lafs/1.20.0", "0")
	inPath := fakeTahoe(t, filepath.Join(base, "path"), "tahoe-lafs/1.20.1", "0")
	private := fakeTahoe(t, filepath.Join(cache, "hidden-backup", "bin"), "tahoe-lafs: 2.0", "0")
	old := fakeTahoe(t, filepath.Join(base, "old"), "tahoe-lafs/1.19.0", "0")
	for name, c := range map[string]struct{ named, path, cache, want string }{
		"the named one":            {named, filepath.Dir(inPath), cache, named},
		"the one in PATH":          {"", filepath.Dir(inPath), cache, inPath},
		"the private one":          {"", "/none", cache, private},
		"the private, PATH is old": {"", filepath.Dir(old), cache, private},
	} {
		t.Run(name, func(t *testing.T) {
			onlyTheseTahoes(t, c.named, c.path, c.cache)
			if got, err := findTahoe(); err != nil || got != c.want {
				t.Errorf("found %q: %v", got, err)
			}
		})
	}
	t.Run("too old as well, by the note beside it", func(t *testing.T) {
		noted := fakeTahoe(t, filepath.Join(base, "noted"), "tahoe-lafs/1.19.0", "0")
		if err := os.WriteFile(noted+"-version", []byte("1.19.0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		onlyTheseTahoes(t, noted, "/none", "/none")
		if _, err := findTahoe(); !errors.Is(err, ErrNoTahoe) {
			t.Errorf("findTahoe returned %v", err)
		}
	})
	t.Run("not asked again, by the note beside it", func(t *testing.T) {
		noted := fakeTahoe(t, filepath.Join(base, "noted"), "it takes a second", "0")
		if err := os.WriteFile(noted+"-version", []byte("1.20.0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		onlyTheseTahoes(t, noted, "/none", "/none")
		if got, err := findTahoe(); err != nil || got != noted {
			t.Errorf("found %q: %v", got, err)
		}
	})
	t.Run("none", func(t *testing.T) {
		onlyTheseTahoes(t, "", "/none", "/none")
		if _, err := findTahoe(); err != ErrNoTahoe {
			t.Errorf("findTahoe returned %v", err)
		}
	})
	t.Run("too old", func(t *testing.T) {
		onlyTheseTahoes(t, "", filepath.Dir(old), "/none")
		var version *TahoeVersionError
		if _, err := findTahoe(); !errors.As(err, &version) || !errors.Is(err, ErrNoTahoe) || !strings.Contains(err.Error(), "1.19.0") {
			t.Errorf("findTahoe returned %v", err)
		}
	})
	t.Run("named but not there", func(t *testing.T) {
		onlyTheseTahoes(t, "/no/such/tahoe", filepath.Dir(inPath), cache)
		if _, err := findTahoe(); !errors.Is(err, ErrNoTahoe) {
			t.Errorf("findTahoe returned %v", err)
		}
	})
}

func TestMissingModuleNamesItsPackage(t *testing.T) {
	for module, want := range map[string]string{
		"six":                        "python3-six",
		"twisted.internet":           "python3-twisted",
		"yaml":                       "python3-yaml",
		"collections_extended":       "python3-collections-extended",
		"OpenSSL":                    "python3-openssl",
		"cgi":                        "python3-legacy-cgi",
		"wormhole":                   "magic-wormhole",
		"zope.interface":             "python3-zope.interface",
		"zope":                       "python3-zope.interface",
		"attr":                       "python3-attr",
		"service_identity":           "python3-service-identity",
		"nacl":                       "python3-nacl",
		"txi2p":                      "python3-txi2p-tahoe",
		"foolscap.connections.tor":   "python3-foolscap",
		"allmydata.scripts.runner":   "tahoe-lafs",
		"pycddl":                     "python3-pycddl",
		"cryptography.hazmat.shaped": "python3-cryptography",
	} {
		says := "Traceback (most recent call last):\n  File \"/usr/bin/tahoe\", line 3\nModuleNotFoundError: No module named '" + module + "'"
		path := fakeTahoe(t, t.TempDir(), says, "1")
		onlyTheseTahoes(t, path, "/none", "/none")
		_, err := findTahoe()
		var missing *MissingModuleError
		if !errors.As(err, &missing) || !errors.Is(err, ErrMissingModule) {
			t.Errorf("%s: %v", module, err)
		} else if missing.Module != module || missing.Package != want {
			t.Errorf("%s: package %s, not %s", module, missing.Package, want)
		}
	}
}

// The list that `make deps` installs and the names the message gives are one.
func TestDependencyListHasEveryPackageNamed(t *testing.T) {
	script, err := os.ReadFile("../../scripts/deps")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{
		"six", "twisted", "yaml", "pyutil", "foolscap", "nacl", "collections_extended", "netifaces", "eliot",
		"klein", "pycddl", "cbor2", "zfec", "treq", "psutil", "filelock", "wormhole", "cgi", "txtorcon", "attr",
		"autobahn", "cryptography", "OpenSSL", "service_identity", "zope.interface", "werkzeug", "hyperlink",
		"click", "idna", "bcrypt",
	} {
		if name := packageOf(module); !strings.Contains(string(script), name) {
			t.Errorf("scripts/deps does not install %s", name)
		}
	}
}
