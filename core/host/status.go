package host

import (
	"errors"
	"fmt"
	"path/filepath"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor"
)

// Status is how a service is doing. It names no addresses.
type Status struct {
	Service   string
	Missing   error // what is not installed; nil if all is
	Running   bool
	Published bool // the node answers, and every onion service of it can be found

	Phase   Phase // of a running one
	Percent int   // of tor's way into the network
	Problem string
	PID     int

	Directory  string
	Persistent bool
	People     int
	Stored     int64 // bytes of disk that shares take
}

// Status looks at the service, whoever runs it. With an error, which is about the
// state, all but People holds nevertheless.
func (h *Host) Status() (Status, error) {
	s := Status{Service: h.Service.Name, Directory: h.Directory(), Persistent: h.Persistent()}
	_, noTahoe := node.FindTahoe()
	_, noTor := tor.FindTor()
	s.Missing = errors.Join(noTahoe, noTor)
	if n, running := h.readNote(); running {
		s.Running, s.PID = true, n.Keeper.PID
		s.Phase, s.Percent, s.Problem, s.Published = n.Phase, n.Percent, n.Problem, n.Published
		if !n.fresh() {
			s.Published, s.Problem = false, fmt.Sprintf("process %d, which runs it, hangs", s.PID)
		}
	}
	s.Stored = node.HostedUse(filepath.Join(s.Directory, nodeName))
	people, err := h.People()
	s.People = len(people)
	return s, err
}

// Address is one way to the service. It is a secret.
type Address struct {
	For  string // "onion", "localhost" or "lan"
	Furl manifest.Furl
}

// Addresses are the ways to the service: behind tor that of those with a key,
// and past tor what the options allow. An address past tor needs no key.
func (h *Host) Addresses() ([]Address, error) {
	dir, there := h.dir()
	if !there {
		return nil, ErrNeverRan
	}
	v, err := h.values()
	if err != nil {
		return nil, err
	}
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	server, err := h.server(filepath.Join(dir, nodeName), v)
	if err != nil {
		return nil, err
	}
	ways := []Address{{For: "onion"}}
	hints := []string{fmt.Sprintf("tor:%s:%d", s.Locked.Address, v.number(optPort))}
	if v.on(optLocalhost) {
		ways, hints = append(ways, Address{For: "localhost"}), append(hints, fmt.Sprintf("tcp:127.0.0.1:%d", s.Port))
	}
	if address := lanAddress(); v.on(optLAN) && address != "" {
		ways, hints = append(ways, Address{For: "lan"}), append(hints, fmt.Sprintf("tcp:%s:%d", address, s.Port))
	}
	for i := range ways {
		if ways[i].Furl, err = furlAt(server.Furl, hints[i]); err != nil {
			return nil, err
		}
	}
	return ways, nil
}
