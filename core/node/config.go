package node

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Network is the way packets take to the grid.
type Network string

// The networks. The words are those of the manifest.
const (
	Loopback      Network = "loopback-practice" // this machine only
	Tor           Network = "tor"               // onion services only
	TorToClearnet Network = "tor-to-clearnet"   // also through Tor exits
	I2P           Network = "i2p"               // I2P destinations only
)

func (n Network) overTor() bool { return n == Tor || n == TorToClearnet }

// Secret is 32 bytes that must not be printed.
type Secret [32]byte

// Format prints nothing of the secret, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[secret]") }

// LogValue keeps the secret out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// Introducer is a node that tells the gateway about storage servers.
type Introducer struct {
	Name string `json:"name"` // letters, digits, "-" and "_"
	Furl string `json:"furl"` // whoever has it may use the introducer
}

// Format prints the name only.
func (i Introducer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "introducer %q", i.Name) }

// LogValue is the name only.
func (i Introducer) LogValue() slog.Value { return slog.StringValue(i.Name) }

// Server is a storage server pinned by its address.
type Server struct {
	ID       string `json:"id"` // "v0-…", as status and check results show it
	Nickname string `json:"nickname"`
	Furl     string `json:"furl"` // whoever has it may store there
	Seed     string `json:"seed"` // its permutation seed; without it shares are placed and searched elsewhere
}

// Format prints the id and nickname only.
func (s Server) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "server %s (%q)", s.ID, s.Nickname) }

// LogValue is the id only.
func (s Server) LogValue() slog.Value { return slog.StringValue(s.ID) }

// GatewayConfig says what gateway to run. It holds secrets; it prints none of them.
type GatewayConfig struct {
	// Dir holds the node directories. It is created if missing and must be
	// ours alone. Empty means a memory-backed directory of the system:
	// $XDG_RUNTIME_DIR, /run/user/UID or /dev/shm.
	Dir string `json:"dir"`

	// AllowDisk accepts a Dir that is not memory-backed: then addresses and
	// secrets of the grid touch the disk.
	AllowDisk bool `json:"allow_disk"`

	Needed int `json:"needed"`
	Happy  int `json:"happy"`
	Total  int `json:"total"`

	Introducers []Introducer `json:"introducers"`
	Servers     []Server     `json:"servers"`

	Network Network `json:"network"` // must be named

	// TorSocks is where tor takes SOCKS connections, as Twisted writes
	// endpoints: "tcp:127.0.0.1:9050" or "unix:/path". Needed with Tor networks.
	TorSocks string `json:"tor_socks"`

	// SAM is where the I2P router takes SAM connections, as "tcp:127.0.0.1:7656".
	// Needed with I2P.
	SAM string `json:"sam"`

	// LeaseSecret and Convergence make this gateway renew the same leases and
	// find the same files as an earlier one. Zero means new random ones.
	LeaseSecret Secret `json:"lease_secret"`
	Convergence Secret `json:"convergence"`

	Logger *slog.Logger `json:"-"` // nil means silence
}

// Format prints how many servers there are, and nothing secret.
func (c GatewayConfig) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "gateway configuration with %d introducers and %d servers", len(c.Introducers), len(c.Servers))
}

// LogValue is what Format prints.
func (c GatewayConfig) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// ErrConfig is a configuration no gateway can be started with. A manifest is
// untrusted input, so this is checked before anything is written.
var ErrConfig = errors.New("the gateway cannot be configured")

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

var (
	nameGrammar     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	serverIDGrammar = regexp.MustCompile(`^v0-[a-z2-7]{52}$`)
	seedGrammar     = regexp.MustCompile(`^[a-z2-7]{0,128}$`)
	furlGrammar     = regexp.MustCompile(`^pb://[a-z2-7]{32}@([A-Za-z0-9.:,\[\]_-]{1,512})/[A-Za-z0-9._~+-]{1,128}$`)
	onionHint       = regexp.MustCompile(`^tor:[a-z2-7]{56}\.onion:[0-9]{1,5}$`)
	loopbackHint    = regexp.MustCompile(`^tcp:(127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|localhost|\[::1\]):[0-9]{1,5}$`)
	i2pHint         = regexp.MustCompile(`^i2p:[a-z2-7]{52,63}\.b32\.i2p(:[0-9]{1,5})?$`)
	samGrammar      = regexp.MustCompile(`^tcp:127\.0\.0\.1:[0-9]{1,5}$`)
	socksGrammar    = regexp.MustCompile(`^(unix:/[^\x00-\x1f\x7f]+|tcp:[A-Za-z0-9.-]+:[0-9]{1,5})$`)
)

func (c GatewayConfig) check() error {
	if err := c.checkGrid(); err != nil {
		return err
	}
	switch {
	case c.Network.overTor():
		if c.TorSocks == "" {
			return badConfig("network %q needs a tor to connect through", c.Network)
		}
		if !socksGrammar.MatchString(c.TorSocks) {
			return badConfig("%q is not a SOCKS endpoint such as tcp:127.0.0.1:9050 or unix:/path", c.TorSocks)
		}
	case c.Network == I2P:
		if !samGrammar.MatchString(c.SAM) {
			return badConfig("%q is not where an I2P router on this machine takes SAM connections, such as tcp:127.0.0.1:7656", c.SAM)
		}
	}
	return nil
}

// checkGrid checks what a manifest says: all but the way through this machine.
func (c GatewayConfig) checkGrid() error {
	if c.Needed < 1 || c.Happy < c.Needed || c.Total < c.Happy || c.Total > 255 {
		return badConfig("needed/happy/total is %d/%d/%d, and must rise from at least 1 to at most 255",
			c.Needed, c.Happy, c.Total)
	}
	switch c.Network {
	case Loopback, Tor, TorToClearnet, I2P:
	default:
		return badConfig("network %q is unknown", c.Network)
	}
	if len(c.Introducers) == 0 && len(c.Servers) == 0 {
		return badConfig("it names no introducer and no server")
	}
	return c.checkMembers()
}

func (c GatewayConfig) checkMembers() error {
	names := map[string]bool{}
	for _, i := range c.Introducers {
		if !nameGrammar.MatchString(i.Name) || names[i.Name] {
			return badConfig("the introducer name %q is not usable, or there twice", i.Name)
		}
		names[i.Name] = true
		if err := c.checkFurl(i.Furl); err != nil {
			return badConfig("introducer %q: %v", i.Name, err)
		}
	}
	for _, s := range c.Servers {
		if !serverIDGrammar.MatchString(s.ID) || names[s.ID] {
			return badConfig("the server id %q is not one, or there twice", s.ID)
		}
		names[s.ID] = true
		if !seedGrammar.MatchString(s.Seed) {
			return badConfig("server %s: its permutation seed is not base32", s.ID)
		}
		if err := c.checkFurl(s.Furl); err != nil {
			return badConfig("server %s: %v", s.ID, err)
		}
	}
	return nil
}

// checkFurl keeps an address that would leave the network out. Its errors
// never repeat the furl: it is a secret.
func (c GatewayConfig) checkFurl(furl string) error {
	match := furlGrammar.FindStringSubmatch(furl)
	if match == nil {
		return errors.New("its address is not a furl")
	}
	var allowed *regexp.Regexp
	var reason string
	switch c.Network {
	case Loopback:
		allowed, reason = loopbackHint, "its address is not on this machine, as a practice grid's must be"
	case Tor:
		// Tahoe would leave other hints alone. That one is there at all means
		// that whoever wrote the address meant another network.
		allowed, reason = onionHint, "its address is not an onion service, as all must be in a grid over Tor"
	case I2P:
		allowed, reason = i2pHint, "its address is not an I2P destination, as all must be in a grid over I2P"
	default:
		return nil // tahoe itself refuses what [connections] does not allow
	}
	for _, hint := range strings.Split(match[1], ",") {
		if !allowed.MatchString(hint) {
			return errors.New(reason)
		}
	}
	return nil
}
