package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"syscall"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor"
)

const (
	firstPause   = time.Second // before what ended is started again
	longestPause = 5 * time.Minute
	healthy      = 10 * time.Minute // what lived so long had no trouble starting

	startWait = 2 * time.Minute // for the node, on a slow machine

	// Below the range the kernel takes outgoing ports from, and apart from
	// those of the practice grid.
	firstPort, lastPort = 32000, 32700
)

// errAgain means that everything is to be started anew with other settings.
var errAgain = errors.New("the settings changed")

// runner is the process that runs a service.
type runner struct {
	h   *Host
	dir string

	mu   sync.Mutex
	note note
}

// Run runs the service until ctx ends. What ends meanwhile is started again,
// after pauses that grow. Nothing of it outlives this process, however that ends.
func (h *Host) Run(ctx context.Context) error {
	if err := h.possible(ctx); err != nil {
		return err
	}
	if err := h.inState(func(string) error { return nil }); err != nil {
		return err
	}
	dir := h.Directory()
	lock, err := takeLock(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	defer rundir.Unlock(lock)
	if err := h.prepare(func(*state) {}); err != nil {
		return err
	}
	self, err := process.Self()
	if err != nil {
		return err
	}
	r := &runner{h: h, dir: dir, note: note{Keeper: self, Phase: Starting}}
	if err := h.writeNote(r.note); err != nil {
		return err
	}
	defer h.removeNote()
	alive, cancel := context.WithCancel(ctx)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		r.beat(alive)
	}()
	defer func() { cancel(); <-beats }()
	return r.keep(ctx)
}

// takeLock is patient: Running takes the lock for a moment to look.
func takeLock(path string) (*os.File, error) {
	for try := 0; ; try++ {
		lock, err := rundir.TryLock(path)
		switch {
		case !errors.Is(err, rundir.ErrLocked):
			return lock, err
		case try == 20:
			return nil, node.ErrAlreadyRunning
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// keep runs sessions until ctx ends or the state is gone.
func (r *runner) keep(ctx context.Context) error {
	pause := firstPause
	for {
		began := time.Now()
		r.set(func(n *note) { n.Phase, n.Percent, n.Published = Starting, 0, false; n.Attempts++ })
		err := r.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrState):
			return err
		case errors.Is(err, errAgain):
			pause = firstPause
			continue
		}
		if time.Since(began) > healthy {
			pause = firstPause
		}
		r.h.cfg.Logger.Warn("the service ended, and is started again", "pause", pause, "reason", err)
		r.set(func(n *note) { n.Phase, n.Published, n.Problem = Pausing, false, err.Error() })
		if !r.pause(ctx, pause) {
			return nil
		}
		pause = min(2*pause, longestPause)
	}
}

// pause waits, but not when somebody changed something: it may be the remedy.
// It returns false when ctx ended.
func (r *runner) pause(ctx context.Context, d time.Duration) bool {
	before := r.version()
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end.C:
			return true
		case <-tick.C:
			if r.version() != before {
				return true
			}
		}
	}
}

// session is one run of tor and the node. It returns when one of them ended,
// when they have to be started anew, or when ctx ended.
func (r *runner) session(ctx context.Context) error {
	version := r.version()
	s, v, err := r.load()
	if err != nil {
		return err
	}
	t, err := r.h.startTor(ctx, s)
	if err != nil {
		return err
	}
	defer t.Close()
	config := r.config(s, v)
	services := &offered{tor: t, port: v.number(optPort), local: config.Port, now: map[string]offer{}}
	if err := services.fit(ctx, s.offers()); err != nil {
		return err
	}
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
	config.TorSocks = ""
	return r.watch(ctx, t, n, services, watched{version, config, s.Revision})
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
	answers, lookedAt := true, time.Now()
	unread := "" // why the state or the options cannot be taken up
	for {
		if time.Since(lookedAt) > noteEvery {
			answers, lookedAt = n.Answers(was.config.Port), time.Now()
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

// set changes the note; beat writes it.
func (r *runner) set(change func(*note)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.note)
}

// beat writes the note when it changed, and in any case now and then.
func (r *runner) beat(ctx context.Context) {
	tick := time.NewTicker(lookEvery / 2)
	defer tick.Stop()
	var written note
	var at time.Time
	for {
		r.mu.Lock()
		n := r.note
		r.mu.Unlock()
		if n != written || time.Since(at) > noteEvery {
			if err := r.h.writeNote(n); err == nil {
				written, at = n, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prepare lets edit change the state and makes it complete: with a port on
// loopback, that stays while it is free. On Tails its operator must have agreed.
func (h *Host) prepare(edit func(*state)) error {
	_, err := h.change(func(s *state) error {
		edit(s)
		if h.tails && !s.Agreed {
			return ErrConsent
		}
		for try := 0; !portFree(s.Port); try++ {
			if try > 1000 {
				return errors.New("no free port on loopback for the node")
			}
			s.Port = firstPort + rand.IntN(lastPort-firstPort+1)
		}
		return nil
	})
	return err
}

func portFree(port int) bool {
	if port == 0 {
		return false
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err == nil {
		l.Close()
	}
	return err == nil
}
