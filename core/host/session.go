package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/tor"
)

const startWait = 2 * time.Minute // for the node, on a slow machine

// hangs is how long a node that runs may be silent. A busy one is for seconds.
var hangs = time.Minute // tests have less time

var errHangs = errors.New("the node hangs")

// session is one run of tor and the node. It returns when one of them ended,
// when they have to be started anew, or when ctx ended.
//
// Nothing leads to the node's port before the node has it, or after it ended:
// the port could be somebody else's. So tor enters the network first, and
// offers the services when the node listens.
func (r *runner) session(ctx context.Context) error {
	version, s, v, err := r.ready()
	if err != nil {
		return err
	}
	t, err := r.h.startTor(ctx, s)
	if err != nil {
		return err
	}
	defer t.Close()
	config := r.config(s, v)
	if err := t.Enable(ctx); err != nil {
		return err
	}
	config.TorSocks = t.Socks()
	starting, cancel := context.WithTimeoutCause(ctx, startWait, errors.New("the node does not answer"))
	defer cancel()
	n, err := node.StartHosted(starting, config)
	if err != nil {
		return err
	}
	defer n.Stop()
	defer t.Close() // before the node stops
	services := &offered{tor: t, port: v.number(optPort), local: config.Port, now: map[string]offer{}}
	if err := services.fit(ctx, s.offers()); err != nil {
		return err
	}
	config.TorSocks = ""
	// It is not published any more from before it ends.
	defer r.set(func(n *note) { n.Phase, n.Published = Starting, false })
	return r.watch(ctx, t, n, services, watched{version, config, s.Revision})
}

// ready reads the state and the settings, with a port for the node that is free
// now, and the version they have.
func (r *runner) ready() (version [2]syscall.Stat_t, s *state, v values, err error) {
	if s, _, err = r.load(); err != nil {
		return version, nil, nil, err // a state that is gone is not made anew
	}
	if !portFree(s.Port) {
		if err := r.h.prepare(func(*state) {}); err != nil {
			return version, nil, nil, err
		}
	}
	version = r.version() // before reading, so that no change is missed
	s, v, err = r.load()
	return version, s, v, err
}

// watched is what a session was started with.
type watched struct {
	version  [2]syscall.Stat_t
	config   node.HostedConfig
	revision int
}

// watch makes the onion services fit the state, and notes how they do.
func (r *runner) watch(ctx context.Context, t *tor.Tor, n *node.Hosted, services *offered, was watched) error {
	r.set(func(n *note) { n.Applied = was.revision })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	answers, answered, lookedAt := true, time.Now(), time.Now()
	unread := "" // why the state or the options cannot be taken up
	for {
		if time.Since(lookedAt) > noteEvery {
			if answers, lookedAt = n.Answers(), time.Now(); answers {
				answered = lookedAt
			}
			if lookedAt.Sub(answered) > hangs {
				return errHangs
			}
			n.Tidy()
		}
		r.tell(t.Status(), answers, services.announced(), unread)
		select {
		case <-ctx.Done():
			return nil
		case <-t.Done():
			return t.Err()
		case <-n.Done():
			return n.Err()
		case <-tick.C:
		}
		now := r.version()
		if now == was.version {
			continue
		}
		was.version = now
		s, v, err := r.load()
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil { // somebody edited it: what runs goes on
			unread = err.Error()
			continue
		}
		unread = ""
		if !reflect.DeepEqual(r.config(s, v), was.config) || v.number(optPort) != services.port {
			return errAgain
		}
		if err := services.fit(ctx, s.offers()); err != nil {
			return err // started anew it surely fits
		}
		r.set(func(n *note) { n.Applied = s.Revision })
	}
}

// tell notes how far a session is.
func (r *runner) tell(s tor.Status, answers, announced bool, problem string) {
	r.set(func(n *note) {
		n.Percent, n.Published, n.Problem = s.Percent, false, problem
		switch {
		case !s.Connected():
			n.Phase, n.Problem = Connecting, s.Warning
		case !answers:
			n.Phase, n.Problem = Starting, "the node does not answer"
		case !announced:
			n.Phase = Announcing
		default:
			n.Phase, n.Published = Published, true
		}
	})
}

// config is how the node is run, but for tor's address.
func (r *runner) config(s *state, v values) node.HostedConfig {
	c := node.HostedConfig{
		Dir:        filepath.Join(r.dir, nodeName),
		Introducer: r.h.Service.Node == "introducer",
		Nickname:   r.h.Service.Name, // every host's is called so
		Port:       s.Port,
		Hint:       fmt.Sprintf("tor:%s:%d", s.Locked.Address, v.number(optPort)),
		Reserved:   v.size(optReserved),
		LeaseDays:  v.number(optLease),
	}
	if v.on(optLAN) {
		if address := lanAddress(); address != "" {
			c.Also = []string{address}
		}
	}
	return c
}

// lanAddress is this machine's address in its local network; empty if there is none.
func lanAddress() string {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsPrivate() {
			return n.IP.String()
		}
	}
	return ""
}

// load reads the state, which must be there, and the settings.
func (r *runner) load() (*state, values, error) {
	if _, err := os.Stat(filepath.Join(r.dir, stateName)); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	s, err := load(r.dir)
	if err != nil {
		return nil, nil, err
	}
	v, err := r.h.values()
	return s, v, err
}

// version tells a state and options from others: the files are replaced, and
// never changed, so each has a number and times of its own.
func (r *runner) version() (v [2]syscall.Stat_t) {
	for i, name := range []string{stateName, optionsName} {
		if syscall.Stat(filepath.Join(r.dir, name), &v[i]) != nil {
			v[i] = syscall.Stat_t{}
		}
		v[i].Atim = syscall.Timespec{} // reading is no change
	}
	return v
}
