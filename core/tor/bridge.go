package tor

import (
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
)

// plugins are the programs that speak each transport, best first.
var plugins = map[string][]string{
	"obfs4":     {"lyrebird", "obfs4proxy"},
	"meek_lite": {"lyrebird", "obfs4proxy"},
	"snowflake": {"snowflake-client"},
}

const maxBridgeLine = 2000

var (
	fingerprintGrammar = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
	argumentGrammar    = regexp.MustCompile(`^[A-Za-z0-9_-]+=[!-~]+$`)
)

// bridge is one bridge line, taken apart.
type bridge struct {
	transport string // empty: none
	words     []string
}

// parseBridge reads a line as bridges are handed out: with or without the
// word "Bridge", a transport, an address, a fingerprint and arguments. Its
// errors do not repeat the line: a bridge is known to few.
func parseBridge(line string) (bridge, error) {
	// Nothing of it may end the line, start a comment or quote what follows.
	if len(line) > maxBridgeLine || strings.ContainsFunc(line, func(r rune) bool {
		return r != '\t' && (r < ' ' || r > '~') || strings.ContainsRune(`"\#`, r)
	}) {
		return bridge{}, fmt.Errorf("%w: it has characters that no bridge line has", ErrBridge)
	}
	words := strings.Fields(line)
	if len(words) > 0 && strings.EqualFold(words[0], "bridge") {
		words = words[1:]
	}
	b := bridge{words: words}
	if len(words) > 0 && !strings.ContainsAny(words[0], ".:") {
		b.transport, words = words[0], words[1:]
		if plugins[b.transport] == nil {
			return bridge{}, fmt.Errorf("%w: bridges of the kind %q are not supported", ErrBridge, b.transport)
		}
	}
	if len(words) == 0 {
		return bridge{}, fmt.Errorf("%w: it names no address", ErrBridge)
	}
	if a, err := netip.ParseAddrPort(words[0]); err != nil || a.Port() == 0 || a.Addr().Zone() != "" {
		return bridge{}, fmt.Errorf("%w: its address is not one with a port", ErrBridge)
	}
	words = words[1:]
	if len(words) > 0 && fingerprintGrammar.MatchString(words[0]) {
		words = words[1:]
	}
	for _, word := range words {
		if b.transport == "" || !argumentGrammar.MatchString(word) {
			return bridge{}, fmt.Errorf("%w: what follows its address is not understood", ErrBridge)
		}
	}
	return b, nil
}

// bridgeLines are what torrc says about bridges: them, and the programs they need.
func bridgeLines(lines []string) ([]string, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	torrc := []string{"UseBridges 1"}
	running := map[string]bool{}
	for i, line := range lines {
		b, err := parseBridge(line)
		if err != nil {
			return nil, fmt.Errorf("bridge %d: %w", i+1, err)
		}
		if b.transport != "" && !running[b.transport] {
			program, err := findPlugin(b.transport)
			if err != nil {
				return nil, fmt.Errorf("bridge %d: %w", i+1, err)
			}
			torrc = append(torrc, "ClientTransportPlugin "+b.transport+" exec "+program)
			running[b.transport] = true
		}
		torrc = append(torrc, "Bridge "+strings.Join(b.words, " "))
	}
	return torrc, nil
}

func findPlugin(transport string) (string, error) {
	for _, name := range plugins[transport] {
		if path, err := exec.LookPath(name); err == nil && plainPath(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: a bridge of the kind %q needs %s", ErrNoPlugin, transport, strings.Join(plugins[transport], " or "))
}
