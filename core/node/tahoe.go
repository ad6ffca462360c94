package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"hiddenbackup/core/internal/process"
)

// TahoeVariable is the environment variable that names the tahoe to use.
const TahoeVariable = "HIDDEN_BACKUP_TAHOE"

// InstallTahoe is what installs Tahoe-LAFS on Debian 13 and on Tails 7. Debian's
// package declares hardly any dependency, so they are named; scripts/deps has the
// same names.
const InstallTahoe = "sudo apt install tahoe-lafs magic-wormhole " +
	"python3-attr python3-autobahn python3-bcrypt python3-cbor2 python3-click " +
	"python3-collections-extended python3-cryptography python3-eliot " +
	"python3-filelock python3-foolscap python3-hyperlink python3-idna python3-klein " +
	"python3-legacy-cgi python3-nacl python3-netifaces python3-openssl " +
	"python3-psutil python3-pycddl python3-pyutil python3-service-identity " +
	"python3-six python3-treq python3-twisted python3-txi2p-tahoe python3-txtorcon python3-werkzeug " +
	"python3-yaml python3-zfec python3-zope.interface"

// The oldest Tahoe-LAFS that works for us.
const minMajor, minMinor = 1, 20

var (
	// ErrNoTahoe means that this machine has no Tahoe-LAFS we can use.
	ErrNoTahoe = errors.New("no Tahoe-LAFS 1.20 or newer on this machine")

	// ErrMissingModule is what every *MissingModuleError is.
	ErrMissingModule = errors.New("Tahoe-LAFS lacks a Python module")
)

// TahoeVersionError is a Tahoe-LAFS that is too old or does not say its
// version. It is an ErrNoTahoe.
type TahoeVersionError struct {
	Path string
	Said string // its answer, or why there was none
}

func (e *TahoeVersionError) Error() string {
	return fmt.Sprintf("%s is not Tahoe-LAFS %d.%d or newer: %s", e.Path, minMajor, minMinor, e.Said)
}

// Is makes it an ErrNoTahoe.
func (e *TahoeVersionError) Is(target error) bool { return target == ErrNoTahoe }

// MissingModuleError is a Tahoe-LAFS that lacks a Python module. Debian's
// package declares hardly any dependency, so this is a common state of it.
type MissingModuleError struct {
	Path    string
	Module  string
	Package string // the Debian package that has it
}

func (e *MissingModuleError) Error() string {
	return fmt.Sprintf("%s lacks the Python module %q: install the package %s", e.Path, e.Module, e.Package)
}

// Is makes it an ErrMissingModule.
func (e *MissingModuleError) Is(target error) bool { return target == ErrMissingModule }

var found struct {
	sync.Mutex
	path string
}

// FindTahoe returns the tahoe to run: the one $HIDDEN_BACKUP_TAHOE names,
// else the first in PATH, else the private one of `make deps`. It must say it
// is 1.20 or newer. A good answer is remembered for the life of the process.
// Errors are ErrNoTahoe, *TahoeVersionError or *MissingModuleError.
func FindTahoe() (path string, err error) {
	found.Lock()
	defer found.Unlock()
	if found.path != "" {
		return found.path, nil
	}
	path, err = findTahoe()
	if err == nil {
		found.path = path
	}
	return path, err
}

func findTahoe() (string, error) {
	if named := os.Getenv(TahoeVariable); named != "" {
		return named, checkTahoe(named)
	}
	firstErr := ErrNoTahoe // of the one in PATH, if there is one
	if inPath, err := exec.LookPath("tahoe"); err == nil {
		if firstErr = checkTahoe(inPath); firstErr == nil {
			return inPath, nil
		}
	}
	if launcher := privateLauncher(); launcher != "" {
		if err := checkTahoe(launcher); err == nil || firstErr == ErrNoTahoe {
			return launcher, err
		}
	}
	return "", firstErr
}

// privateLauncher is where `make deps` puts its tahoe; empty if there is none.
func privateLauncher() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	launcher := filepath.Join(cache, "hidden-backup", "bin", "tahoe")
	if info, err := os.Stat(launcher); err != nil || info.Mode()&0o111 == 0 {
		return ""
	}
	return launcher
}

// notedVersion is what `make deps` noted beside its own tahoe, so that asking
// again does not cost a second; empty if there is none.
func notedVersion(path string) string {
	program, err := os.Stat(path)
	note, noteErr := os.Lstat(path + "-version")
	if !filepath.IsAbs(path) || err != nil || noteErr != nil || program.Mode()&0o111 == 0 || !note.Mode().IsRegular() || note.Size() > 1000 {
		return ""
	}
	said, err := os.ReadFile(path + "-version")
	if err != nil {
		return ""
	}
	return string(said)
}

func checkTahoe(path string) error {
	if newEnough(notedVersion(path)) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = process.Environment(os.TempDir(), os.TempDir())
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	if missing := missingModule(path, string(output)); missing != nil {
		return missing
	}
	if err == nil && newEnough(string(output)) {
		return nil
	}
	said := lastLine(string(output))
	if said == "" && err != nil {
		said = err.Error()
	}
	return &TahoeVersionError{Path: path, Said: process.Redact(said)}
}

var versionText = regexp.MustCompile(`(?m)^(?:tahoe-lafs[/: ]*)?(\d+)\.(\d+)`)

func newEnough(said string) bool {
	match := versionText.FindStringSubmatch(said)
	if match == nil {
		return false
	}
	major, _ := strconv.Atoi(match[1])
	minor, _ := strconv.Atoi(match[2])
	return major > minMajor || major == minMajor && minor >= minMinor
}

var noModule = regexp.MustCompile(`No module named '?([A-Za-z0-9_.]+)'?`)

// missingModule reads Python's complaint; nil if there is none.
func missingModule(path, output string) error {
	match := noModule.FindStringSubmatch(output)
	if match == nil {
		return nil
	}
	return &MissingModuleError{Path: path, Module: match[1], Package: packageOf(match[1])}
}

// modulePackages are the Debian packages not called "python3-" plus the module.
var modulePackages = map[string]string{
	"OpenSSL":       "python3-openssl",
	"_cffi_backend": "python3-cffi-backend",
	"allmydata":     "tahoe-lafs",
	"attrs":         "python3-attr",
	"cgi":           "python3-legacy-cgi", // Python 3.13 has none of its own
	"txi2p":         "python3-txi2p-tahoe",
	"wormhole":      "magic-wormhole",
	"zope":          "python3-zope.interface",
}

func packageOf(module string) string {
	top, _, _ := strings.Cut(module, ".")
	if name, ok := modulePackages[top]; ok {
		return name
	}
	return "python3-" + strings.ReplaceAll(strings.ToLower(top), "_", "-")
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
