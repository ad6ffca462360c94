package tor

import (
	"path/filepath"
	"regexp"
	"strings"
)

const (
	torrcName   = "torrc"
	controlName = "control.sock"
	socksName   = "socks.sock"
	cookieName  = "cookie"
	dataName    = "data"
)

// A private network is on this machine. Other lines could undo what ours promise.
var privateGrammar = regexp.MustCompile(`^(TestingTorNetwork 1|` +
	`DirAuthority [A-Za-z0-9]{1,19} orport=[0-9]{1,5} no-v2 v3ident=[0-9A-F]{40} 127\.0\.0\.1:[0-9]{1,5} [0-9A-F]{40})$`)

// renderTorrc is the configuration of our own tor in dir: sockets in that directory and
// nowhere else, a client and nothing else, and no network before it is asked to.
func renderTorrc(cfg Config, dir string) ([]byte, error) {
	data := cfg.Guards
	if data == "" {
		data = filepath.Join(dir, dataName)
	}
	for _, path := range []string{dir, data} {
		if !filepath.IsAbs(path) || !plainPath(path) {
			return nil, badConfig("tor cannot work in %q: the name has spaces or odd characters", path)
		}
	}
	if socket := filepath.Join(dir, controlName); len(socket) > maxSocketPath {
		return nil, badConfig("the path %s is too long for a UNIX socket", socket)
	}
	lines := []string{
		"DataDirectory " + data,
		"SocksPort unix:" + filepath.Join(dir, socksName) + " ExtendedErrors",
		"ControlPort unix:" + filepath.Join(dir, controlName),
		"CookieAuthentication 1",
		"CookieAuthFile " + filepath.Join(dir, cookieName),
		"DisableNetwork 1",
		"ClientOnly 1",
		"AvoidDiskWrites 1",
	}
	bridges, err := bridgeLines(cfg.Bridges)
	if err != nil {
		return nil, err
	}
	lines = append(lines, bridges...)
	for _, line := range cfg.Private {
		if !privateGrammar.MatchString(line) {
			return nil, badConfig("a line of the private network is not one: %q", line)
		}
	}
	lines = append(lines, cfg.Private...)
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

var pathGrammar = regexp.MustCompile(`^/[A-Za-z0-9/._+:@~=,-]*$`)

// plainPath reports whether torrc takes the path as it is, unquoted.
func plainPath(path string) bool { return pathGrammar.MatchString(path) }
