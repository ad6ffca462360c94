package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"hiddenbackup/assets"
)

// Services are the names of what a host can offer.
var Services = []string{"storage", "introducer"}

// Service describes what a host can offer.
type Service struct {
	Name     string   `toml:"name"`
	Title    string   `toml:"title"`
	Summary  string   `toml:"summary"`
	Node     string   `toml:"node"`     // what Tahoe runs: "storage" or "introducer"
	Packages []string `toml:"packages"` // of Debian
	Port     int      `toml:"port"`     // at the onion address
	Options  []Option `toml:"option"`
}

// Option is one that the operator may set.
type Option struct {
	Name    string `toml:"name"`
	Type    Type   `toml:"type"`
	Default string `toml:"default"`
	Tails   string `toml:"tails"` // the default there; empty is Default
	Text    string `toml:"text"`  // for people: what it does, and what it risks
	Least   int64  `toml:"least"` // of days
	Most    int64  `toml:"most"`
}

// names of the options that the mechanism knows. A description has those that
// make sense for its service.
const (
	optPersistence = "persistence"
	optAutostart   = "autostart"
	optKeys        = "client-authorization"
	optReserved    = "reserved-space"
	optLease       = "lease-expiry"
	optOperator    = "operator"
	optPlace       = "place"
	optPort        = "port"
	optLocalhost   = "allow-localhost"
	optLAN         = "allow-lan"
)

var known = []string{optPersistence, optAutostart, optKeys, optReserved, optLease,
	optOperator, optPlace, optPort, optLocalhost, optLAN}

// FindService returns the description of that name; empty is the first of Services.
func FindService(name string) (*Service, error) {
	if name == "" {
		name = Services[0]
	}
	if !slices.Contains(Services, name) {
		return nil, fmt.Errorf("%w: there is no %q, only %s", ErrService, name, strings.Join(Services, " and "))
	}
	text, err := assets.Service(name)
	if err != nil {
		return nil, err
	}
	return parseService(text)
}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)

// parseService reads a description strictly: what it does not know may be
// meant to protect somebody.
func parseService(text []byte) (*Service, error) {
	var s Service
	meta, err := toml.Decode(string(text), &s)
	if err != nil {
		return nil, badService("%v", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, badService("the key %q is unknown", unknown[0].String())
	}
	switch {
	case s.Name == "" || s.Title == "" || s.Summary == "":
		return nil, badService("it needs a name, a title and a summary")
	case s.Node != "storage" && s.Node != "introducer":
		return nil, badService("the node %q is neither storage nor introducer", s.Node)
	case s.Port < 1 || s.Port > 65535:
		return nil, badService("%d is not a port", s.Port)
	}
	for _, p := range s.Packages {
		if !packageName.MatchString(p) {
			return nil, badService("%q is not the name of a package", p)
		}
	}
	seen := map[string]bool{}
	for _, o := range s.Options {
		switch {
		case !slices.Contains(known, o.Name):
			return nil, badService("the option %q is unknown", o.Name)
		case seen[o.Name]:
			return nil, badService("the option %q is there twice", o.Name)
		case o.Text == "":
			return nil, badService("the option %q is not explained", o.Name)
		}
		seen[o.Name] = true
		for _, value := range []string{o.Default, o.defaultOn(true)} {
			if _, err := o.canonical(value); err != nil {
				return nil, badService("the default of %q: %v", o.Name, err)
			}
		}
	}
	if !seen[optPersistence] || !seen[optPort] {
		return nil, badService("it needs the options persistence and port")
	}
	return &s, nil
}

func badService(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrService, fmt.Sprintf(format, args...))
}

// option is nil if the service has none of that name.
func (s *Service) option(name string) *Option {
	for i := range s.Options {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	return nil
}

func (o *Option) defaultOn(tails bool) string {
	if tails && o.Tails != "" {
		return o.Tails
	}
	return o.Default
}
