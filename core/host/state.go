package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"hiddenbackup/core/tor"
)

const stateVersion = 1

// state is what a service is, beside what its operator set. It holds the
// secrets that make its addresses, and is for our eyes only.
type state struct {
	Version  int       `json:"version"`
	Revision int       `json:"revision"` // counts the changes, for the running process
	Locked   onion     `json:"locked"`   // the onion service of those who have a key
	Nobody   string    `json:"nobody"`   // a client nobody is: without any the service would be open
	Agreed   bool      `json:"agreed"`   // to what hosting on Tails risks
	Port     int       `json:"port"`     // on 127.0.0.1; 0 until the first run
	Bridges  []string  `json:"bridges,omitempty"`
	Private  []string  `json:"private,omitempty"`
	People   []*Person `json:"people"`
}

// onion is an onion service of ours.
type onion struct {
	Key     string `json:"key"`
	Address string `json:"address"`
}

// Person is somebody who is invited.
type Person struct {
	Name    string    `json:"name"`
	Invited time.Time `json:"invited"`

	// Public is the half of the person's key that tor knows; empty is none.
	Public string `json:"public,omitempty"`

	// Alone is an onion service for this person only: of those without a key,
	// and of all whom a tor serves whose circuits we cannot close.
	Alone *onion `json:"alone,omitempty"`
}

// HasKey reports whether the person's invite holds a key.
func (p *Person) HasKey() bool { return p.Public != "" }

func newOnion() (onion, error) {
	key, address, err := tor.NewOnionKey()
	return onion{key.Secret(), address}, err
}

func (o onion) check() error {
	if _, err := tor.ParseOnionKey(o.Key); err != nil {
		return err
	}
	return tor.CheckOnion(o.Address)
}

// load reads the state in dir, or makes a new one that is not written yet.
func load(dir string) (*state, error) {
	data, err := read(filepath.Join(dir, stateName))
	if err != nil {
		return nil, err
	}
	if data == nil {
		return newState()
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, stateName, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, stateName, err)
	}
	return &s, nil
}

func newState() (*state, error) {
	locked, err := newOnion()
	if err != nil {
		return nil, err
	}
	nobody, err := tor.NewClientKey()
	if err != nil {
		return nil, err
	}
	return &state{Version: stateVersion, Locked: locked, Nobody: nobody.Public()}, nil
}

func (s *state) check() error {
	if s.Version != stateVersion {
		return fmt.Errorf("it has version %d, this program knows version %d", s.Version, stateVersion)
	}
	if err := s.Locked.check(); err != nil {
		return err
	}
	if s.Nobody == "" {
		return errors.New("what keeps the onion service closed is missing")
	}
	for _, p := range s.People {
		switch {
		case p == nil || p.Name == "" || p.Public == "" && p.Alone == nil:
			return errors.New("a person on its list is not whole")
		case p.Alone != nil:
			if err := p.Alone.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// person is nil if nobody of that name is invited.
func (s *state) person(name string) *Person {
	i := slices.IndexFunc(s.People, func(p *Person) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return s.People[i]
}

// offers are the onion services that should be there: by address, their key
// and the clients who are let in.
func (s *state) offers() map[string]offer {
	locked := offer{key: s.Locked.Key, clients: []string{s.Nobody}}
	all := map[string]offer{}
	for _, p := range s.People {
		switch {
		case p.Alone == nil:
			locked.clients = append(locked.clients, p.Public)
		case p.HasKey():
			all[p.Alone.Address] = offer{key: p.Alone.Key, clients: []string{p.Public}}
		default:
			all[p.Alone.Address] = offer{key: p.Alone.Key}
		}
	}
	slices.Sort(locked.clients) // their order tells nothing
	all[s.Locked.Address] = locked
	return all
}

// change reads the state, lets edit change it, and writes it. It returns the
// revision that a running process has to take up.
func (h *Host) change(edit func(*state) error) (revision int, err error) {
	err = h.inState(func(dir string) error {
		s, err := load(dir)
		if err != nil {
			return err
		}
		if err := edit(s); err != nil {
			return err
		}
		s.Revision++
		revision = s.Revision
		data, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		return write(filepath.Join(dir, stateName), append(data, '\n'))
	})
	return revision, err
}
