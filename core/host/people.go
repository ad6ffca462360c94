package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor"
)

const (
	// tor takes 330 keys for one service. Each onion service of its own costs
	// this computer three more circuits for good, and announcements every hour.
	maxKeys  = 200
	maxAlone = 20

	// DefaultDays is how long an invite is good to be used.
	DefaultDays = 30
	maxDays     = 365

	applyWait = 40 * time.Second // the running process looks twice a second
)

// People are those who are invited, in the order they were.
func (h *Host) People() ([]Person, error) {
	dir, there := h.dir()
	if !there {
		return nil, nil
	}
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	people := make([]Person, 0, len(s.People))
	for _, p := range s.People {
		people = append(people, Person{Name: p.Name, Invited: p.Invited, Public: p.Public})
	}
	return people, nil
}

// Invitation says whom to invite.
type Invitation struct {
	Name       string // one line; the person is revoked by it
	Days       int    // until the invite expires; 0 is DefaultDays
	WithoutKey bool   // the address alone lets in: see the option client-authorization
}

// Invite adds a person. The invite is a secret, and cannot be had again: the
// person's key is not kept. A running service takes it up at once.
func (h *Host) Invite(i Invitation) (*Invite, error) {
	if err := checkLine(i.Name, 1); err != nil {
		return nil, fmt.Errorf("the name: %w", err)
	}
	if i.Days == 0 {
		i.Days = DefaultDays
	}
	if i.Days < 1 || i.Days > maxDays {
		return nil, fmt.Errorf("%w: an invite is good for 1 to %d days", ErrOption, maxDays)
	}
	v, err := h.values()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	invite := &Invite{Service: h.Service.Node, Made: now, Expires: now.AddDate(0, 0, i.Days)}
	dir, _ := h.dir()
	invite.Server, err = h.server(filepath.Join(dir, nodeName), v)
	if err != nil {
		return nil, err
	}
	if room, err := node.Room(dir); err == nil && h.Service.Node == "storage" {
		invite.Space = max(0, room-v.size(optReserved))
	}
	_, err = h.change(func(s *state) error {
		if s.person(i.Name) != nil {
			return fmt.Errorf("%w: %q", ErrInvited, i.Name)
		}
		p := &Person{Name: i.Name, Invited: now}
		if v.on(optKeys) && !i.WithoutKey {
			key, err := tor.NewClientKey()
			if err != nil {
				return err
			}
			p.Public = key.Public()
			if invite.Server.OnionKey, err = manifest.SecretFromBytes(key.Bytes()); err != nil {
				return err
			}
		}
		address := s.Locked.Address
		if !p.HasKey() || h.tails {
			alone, err := newOnion()
			if err != nil {
				return err
			}
			p.Alone, address = &alone, alone.Address
		}
		s.People = append(s.People, p)
		if err := tooMany(s.People); err != nil {
			return err
		}
		invite.Server.Furl, err = furlAt(invite.Server.Furl, fmt.Sprintf("tor:%s:%d", address, v.number(optPort)))
		return err
	})
	if err != nil {
		return nil, err
	}
	return invite, invite.validate()
}

func tooMany(people []*Person) error {
	alone := 0
	for _, p := range people {
		if p.Alone != nil {
			alone++
		}
	}
	if alone > maxAlone || len(people)-alone > maxKeys {
		return fmt.Errorf("%w: at most %d people can be invited to an address of their own, and %d by a key", ErrOption, maxAlone, maxKeys)
	}
	return nil
}

// server is the node as invites describe it. The furl still names the address
// it announces.
func (h *Host) server(dir string, v values) (manifest.Server, error) {
	var s manifest.Server
	noted := node.Server{}
	var err error
	if h.Service.Node == "introducer" {
		noted.Furl, err = node.HostedIntroducer(dir)
	} else {
		noted, err = node.HostedServer(dir)
	}
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrNeverRan, err)
	}
	if s.Furl, err = manifest.ParseFurl(noted.Furl); err != nil {
		return s, fmt.Errorf("%w: %w", ErrState, err)
	}
	if h.Service.Node == "introducer" {
		s.Nickname = nickname(s.Furl.TubID())
		return s, nil
	}
	s.ID, s.Operator, s.Place = noted.ID, v[optOperator], v[optPlace]
	s.Nickname = nickname(strings.TrimPrefix(noted.ID, "v0-"))
	s.LeaseDays = v.number(optLease)
	if s.LeaseDays == 0 {
		s.LeaseDays = manifest.LeaseForever
	}
	if s.PermutationSeed() != noted.Seed {
		s.Seed = noted.Seed
	}
	return s, nil
}

// nickname tells servers of one operator apart, and tells nothing else.
func nickname(id string) string { return "host-" + id[:min(len(id), 6)] }

// furlAt is the furl with other hints.
func furlAt(f manifest.Furl, hints string) (manifest.Furl, error) {
	head, rest, _ := strings.Cut(f.Secret(), "@")
	_, swissnum, _ := strings.Cut(rest, "/")
	return manifest.ParseFurl(head + "@" + hints + "/" + swissnum)
}

// Revoke shuts a person out. Where the service runs, this returns when it has
// closed every connection of the person and takes no more, or fails with
// ErrNotApplied. It closes the way through tor: see OpenInLAN for the other.
func (h *Host) Revoke(ctx context.Context, name string) error {
	if _, there := h.dir(); !there {
		return fmt.Errorf("%w: %q", ErrNobody, name)
	}
	revision, err := h.change(func(s *state) error {
		before := len(s.People)
		s.People = slices.DeleteFunc(s.People, func(p *Person) bool { return p.Name == name })
		if len(s.People) == before {
			return fmt.Errorf("%w: %q", ErrNobody, name)
		}
		return nil
	})
	if err != nil || !h.Running() {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, applyWait, ErrNotApplied)
	defer cancel()
	err = h.await(ctx, func(n note) bool { return n.Applied >= revision })
	if errors.Is(err, ErrNotRunning) {
		return nil // it ended meanwhile, and starts with the new state
	}
	return err
}

// OpenInLAN reports whether the service also listens in the local network,
// where everybody gets in who knows the furl, also after Revoke.
func (h *Host) OpenInLAN() (bool, error) {
	s, err := h.Setting(optLAN)
	return s.Value == "on", err
}
