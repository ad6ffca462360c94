package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Network says how the gateway may reach the grid.
type Network string

// The networks. Practice never leaves the machine.
const (
	NetworkTor           Network = "tor"               // onion services only
	NetworkTorToClearnet Network = "tor-to-clearnet"   // through Tor, servers may have open addresses
	NetworkI2P           Network = "i2p"               // I2P destinations only
	NetworkPractice      Network = "loopback-practice" // this machine only
)

// Grid is the storage servers, and how files are spread over them.
type Grid struct {
	Introducers          []Introducer
	Servers              []Server
	Needed, Happy, Total int
	Network              Network
}

// Introducer tells a gateway of servers which are not pinned.
type Introducer struct {
	Name string // letters, digits, - and _; unique
	Furl Furl
}

// Server is one pinned storage server.
type Server struct {
	ID       string // "v0-" and 52 letters; unique
	Nickname string // what the server calls itself; may be empty
	Operator string // who runs it, in the owner's words; may be empty
	Place    string // where it stands, in the owner's words; may be empty
	Furl     Furl
	Seed     string // permutation seed in base32, where it is not the usual one: see PermutationSeed
	// LeaseDays is after how many days without renewal it deletes a share, as far as its host
	// says so: 0 not known, LeaseForever never.
	LeaseDays int
	OnionKey  Secret // x25519 client authorization key of its onion service; zero: none
}

// LeaseForever says that a server never deletes anything by itself.
const LeaseForever = -1

const maxLeaseDays = 36500

// PermutationSeed decides in which order Tahoe looks for shares, so every client must use the
// one the server announces. Servers since Tahoe 1.12 announce the base32 form of their id's text,
// which need not be stored.
func (s Server) PermutationSeed() string {
	if s.Seed != "" {
		return s.Seed
	}
	return base32Lower.EncodeToString([]byte(strings.TrimPrefix(s.ID, "v0-")))
}

var (
	serverID       = regexp.MustCompile(`^v0-[a-z2-7]{52}$`)
	seedGrammar    = regexp.MustCompile(`^[a-z2-7]{1,128}$`)
	introducerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

// Validate reports the first thing about g that is not usable or not safe.
func (g Grid) Validate() error {
	switch g.Network {
	case NetworkTor, NetworkTorToClearnet, NetworkI2P, NetworkPractice:
	default:
		return invalid("the network must be tor, tor-to-clearnet, i2p or loopback-practice")
	}
	if g.Needed < 1 || g.Happy < g.Needed || g.Total < g.Happy || g.Total > 255 {
		return invalid("the numbers must hold 1 ≤ needed ≤ happy ≤ total ≤ 255")
	}
	if len(g.Introducers) > maxIntroducers {
		return invalid("more than %d introducers", maxIntroducers)
	}
	if len(g.Servers) > maxServers {
		return invalid("more than %d servers", maxServers)
	}
	if len(g.Introducers)+len(g.Servers) == 0 {
		return invalid("the grid has neither a server nor an introducer")
	}
	if err := g.validateIntroducers(); err != nil {
		return err
	}
	return g.validateServers()
}

func (g Grid) validateIntroducers() error {
	seen := make(map[string]bool, len(g.Introducers))
	for i, in := range g.Introducers {
		where := fmt.Sprintf("introducer %d", i+1)
		if !introducerName.MatchString(in.Name) {
			return invalid("%s: the name must be 1 to 64 letters, digits, - or _", where)
		}
		if seen[in.Name] {
			return invalid("%s: the name %q is used twice", where, in.Name)
		}
		seen[in.Name] = true
		if err := in.Furl.checkNetwork(g.Network); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return nil
}

func (g Grid) validateServers() error {
	seen := make(map[string]bool, len(g.Servers))
	for i, s := range g.Servers {
		where := fmt.Sprintf("server %d", i+1)
		if !serverID.MatchString(s.ID) {
			return invalid("%s: the id must be v0- and 52 letters a-z or digits 2-7", where)
		}
		if seen[s.ID] {
			return invalid("%s: the id is used twice", where)
		}
		seen[s.ID] = true
		for _, f := range []struct{ name, value string }{
			{"nickname", s.Nickname}, {"operator", s.Operator}, {"place", s.Place},
		} {
			if err := text(where+": the "+f.name, f.value, 0, maxLabel); err != nil {
				return err
			}
		}
		if s.Seed != "" && !seedGrammar.MatchString(s.Seed) {
			return invalid("%s: the seed is not base32", where)
		}
		if s.LeaseDays < LeaseForever || s.LeaseDays > maxLeaseDays {
			return invalid("%s: lease_days is from 1 to %d, or %d for never", where, maxLeaseDays, LeaseForever)
		}
		if err := s.Furl.checkNetwork(g.Network); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return nil
}

func (g Grid) clone() Grid {
	g.Introducers = slices.Clone(g.Introducers)
	g.Servers = slices.Clone(g.Servers)
	return g
}
