package tor

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Source says whose tor to use.
type Source int

// The sources.
const (
	Any    Source = iota // one that runs already, or else our own; never our own on Tails
	System               // one that runs already
	Own                  // our own
)

// Config says which tor to use. The zero value works.
type Config struct {
	Source Source

	// Socks is where a running tor takes connections: "tcp:127.0.0.1:9050" or
	// "unix:/path". Naming it rules out a tor of our own. Empty looks at the
	// usual places: those of the system and of Tor Browser.
	Socks string

	// Control is where a running tor takes commands, written like Socks. Empty
	// is none, but on Tails the filter of its control port, if that lets us.
	Control string

	// Dir is where our own tor has its directory. It must be ours alone.
	// Empty means a memory-backed directory of the system.
	Dir string

	// AllowDisk accepts a Dir that is not memory-backed: then the disk shows
	// that tor was used, and when.
	AllowDisk bool

	// Guards is a directory, ours alone, in which our own tor remembers its
	// entries to the network from run to run, with whatever else it caches:
	// slower to be found out, but on the disk. Empty remembers nothing.
	Guards string

	// Bridges are lines as bridges are handed out, for our own tor where tor
	// is blocked. Naming one rules out a running tor.
	Bridges []string

	// Private are the torrc lines of a private network on this machine, as
	// package tornet makes them, for our own tor. Empty means the public network.
	Private []string

	Logger *slog.Logger `json:"-"` // nil means silence
}

func (c Config) source() (Source, error) {
	if len(c.Private) > 0 && !slices.ContainsFunc(c.Private, func(line string) bool { return strings.HasPrefix(line, "DirAuthority ") }) {
		return 0, badConfig("a private network has authorities of its own; without them it would be the public one")
	}
	ours := len(c.Bridges) > 0 || len(c.Private) > 0 || c.Guards != ""
	switch {
	case c.Source < Any || c.Source > Own:
		return 0, badConfig("source %d is unknown", c.Source)
	case (c.Socks != "" || c.Control != "") && (c.Source == Own || ours):
		return 0, badConfig("a running tor is named, and yet one of our own is asked for")
	case c.Source == System && ours:
		return 0, badConfig("bridges and directories can be chosen for a tor of our own only")
	case c.Source == Own || ours:
		return c.ownUnlessTails()
	case c.Source == System || c.Socks != "" || c.Control != "" || onTails():
		return System, nil
	}
	return Any, nil
}

// ownUnlessTails: there, only the system's tor may use the network.
func (c Config) ownUnlessTails() (Source, error) {
	if onTails() && len(c.Private) == 0 {
		return 0, badConfig("Tails lets only its own tor use the network; bridges are chosen in Tor Connection")
	}
	return Own, nil
}

// Facts about the system; tests have others.
var (
	osRelease  = "/etc/os-release"
	tailsReady = "/run/tor-has-bootstrapped/done" // there while Tails' tor is connected

	// The system's tor, on Tails and Debian alike, and Tor Browser's.
	usualSocks = []string{"tcp:127.0.0.1:9050", "tcp:127.0.0.1:9150"}
)

func onTails() bool {
	f, err := os.Open(osRelease)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "ID="); ok {
			return strings.Trim(value, `"'`) == "tails"
		}
	}
	return false
}

// TorVariable is the environment variable that names the tor to run.
const TorVariable = "HIDDEN_BACKUP_TOR"

// FindTor returns the tor to run: the one $HIDDEN_BACKUP_TOR names, else the
// first in PATH or where Debian has it. The error is ErrNoTor.
func FindTor() (path string, err error) {
	names := []string{"tor", "/usr/bin/tor", "/usr/sbin/tor"}
	if named := os.Getenv(TorVariable); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoTor
}
