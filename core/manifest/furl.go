package manifest

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unique"
)

// Furl is a Foolscap address, pb://TUBID@HINTS/SWISSNUM. Its last part is a bearer secret
// for using the server, so a Furl prints redacted and has no marshaler.
type Furl struct {
	h unique.Handle[string] // why a handle: see Secret
}

const maxFurl = 1024

var (
	// A tub id is the SHA-1 of a certificate: 20 bytes, 32 characters.
	furlGrammar  = regexp.MustCompile(`^pb://([a-z2-7]{32})@([^/@\s]+)/([A-Za-z0-9._~+-]{1,128})$`)
	onionHost    = regexp.MustCompile(`^[a-z2-7]{56}\.onion$`)
	i2pHost      = regexp.MustCompile(`^[a-z2-7]{52,63}\.b32\.i2p$`)
	hostname     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9-]{1,63})*$`)
	hintAlphabet = regexp.MustCompile(`^[a-z0-9.:\[\]-]{1,300}$`)
)

// ParseFurl checks the grammar of a furl; whether its hints suit a network is for Grid.Validate.
func ParseFurl(s string) (Furl, error) {
	if len(s) > maxFurl {
		return Furl{}, invalid("a furl is longer than %d bytes", maxFurl)
	}
	m := furlGrammar.FindStringSubmatch(s)
	if m == nil {
		return Furl{}, invalid("a furl must look like pb://TUBID@HINT/SWISSNUM")
	}
	for _, hint := range strings.Split(m[2], ",") {
		if !hintAlphabet.MatchString(hint) {
			return Furl{}, invalid("a furl holds a connection hint that cannot be read")
		}
	}
	return Furl{unique.Make(s)}, nil
}

// Secret reveals the furl.
func (f Furl) Secret() string {
	if f.IsZero() {
		return ""
	}
	return f.h.Value()
}

// IsZero reports whether there is no furl.
func (f Furl) IsZero() bool { return f == Furl{} }

// TubID is the hash that authenticates the server; it is not secret.
func (f Furl) TubID() string {
	if m := furlGrammar.FindStringSubmatch(f.Secret()); m != nil {
		return m[1]
	}
	return ""
}

// Hints are the places where the server may be reached, like tor:HOST.onion:PORT.
func (f Furl) Hints() []string {
	if m := furlGrammar.FindStringSubmatch(f.Secret()); m != nil {
		return strings.Split(m[2], ",")
	}
	return nil
}

// Format prints the same redacted text for every verb.
func (f Furl) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// String is redacted.
func (f Furl) String() string { return redacted }

// LogValue is redacted.
func (f Furl) LogValue() slog.Value { return slog.StringValue(redacted) }

// checkNetwork demands that every hint stays on the network: Foolscap tries all of them, so a
// single open address beside an onion would already give the person away.
func (f Furl) checkNetwork(n Network) error {
	if f.IsZero() {
		return invalid("the furl is missing")
	}
	for _, hint := range f.Hints() {
		kind, rest, _ := strings.Cut(hint, ":")
		switch n {
		case NetworkTor:
			if kind != "tor" || !onionAddress(rest) {
				return fmt.Errorf("%w: this manifest is for the tor network, so every address must be tor:, a version 3 onion address and a port", ErrNetwork)
			}
		case NetworkTorToClearnet:
			if !(kind == "tor" && onionAddress(rest)) && !(kind == "tcp" && clearAddress(rest)) {
				return fmt.Errorf("%w: this manifest reaches servers through tor, so every address must be tor: with a version 3 onion address, or tcp: with a host, and a port", ErrNetwork)
			}
		case NetworkI2P:
			if kind != "i2p" || !i2pAddress(rest) {
				return fmt.Errorf("%w: this manifest is for the i2p network, so every address must be i2p: and a name that ends in .b32.i2p", ErrNetwork)
			}
		case NetworkPractice:
			if kind != "tcp" || !loopbackAddress(rest) {
				return fmt.Errorf("%w: this manifest is for practice, so every address must be tcp: on this machine", ErrNetwork)
			}
		default:
			return invalid("the network is not known")
		}
	}
	return nil
}

func splitPort(s string) (host string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", false
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	return s[:i], err == nil && port > 0 && s[i+1] != '0'
}

func onionAddress(s string) bool {
	host, ok := splitPort(s)
	return ok && onionHost.MatchString(host)
}

func i2pAddress(s string) bool {
	if host, ok := splitPort(s); ok {
		s = host
	}
	return i2pHost.MatchString(s)
}

func loopbackAddress(s string) bool {
	host, ok := splitPort(s)
	return ok && (host == "127.0.0.1" || host == "localhost" || host == "[::1]")
}

// clearAddress takes a host name or an address. Onion names are not for tcp: hints.
func clearAddress(s string) bool {
	host, ok := splitPort(s)
	if !ok || len(host) > 255 || strings.HasSuffix(host, ".onion") || strings.HasSuffix(host, ".i2p") {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && strings.HasSuffix(inner, "]")
	}
	return hostname.MatchString(host)
}

// Onions are the onion addresses among the hints, without ports.
func (f Furl) Onions() (hosts []string) {
	for _, hint := range f.Hints() {
		if rest, ok := strings.CutPrefix(hint, "tor:"); ok && onionAddress(rest) {
			host, _ := splitPort(rest)
			hosts = append(hosts, host)
		}
	}
	return hosts
}
