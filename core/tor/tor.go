package tor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Tor is a tor to connect through. All methods may be called from any goroutine.
type Tor struct {
	socks     endpoint
	own       *own       // nil for one that ran already
	commanded *commanded // nil unless one that ran already takes commands
}

// Start finds the tor that cfg describes. A tor of our own is started without
// network: see Enable. ctx bounds only the start. The caller closes it.
func Start(ctx context.Context, cfg Config) (*Tor, error) {
	source, err := cfg.source()
	if err != nil {
		return nil, err
	}
	var none error
	if source != Own {
		t, err := attach(ctx, cfg.Socks)
		if err == nil {
			err = t.findControl(ctx, cfg.Control)
		}
		if err == nil {
			return t, nil
		}
		if source == System || ctx.Err() != nil {
			return nil, err
		}
		none = err
	}
	program, err := FindTor()
	if err != nil {
		// Neither one that runs nor one to run: what was tried is said as well.
		return nil, errors.Join(err, none)
	}
	o, err := startOwn(ctx, program, cfg)
	if err != nil {
		return nil, err
	}
	return &Tor{socks: o.socks(), own: o}, nil
}

// attach finds the tor that takes connections at that address, or at a usual
// one if it is empty.
func attach(ctx context.Context, address string) (*Tor, error) {
	addresses := usualSocks
	if address != "" {
		addresses = []string{address}
	}
	var errs []error
	for _, a := range addresses {
		e, err := parseEndpoint(a)
		if err == nil {
			if err = checkSocks(ctx, e); err == nil {
				return &Tor{socks: e}, nil
			}
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// findControl finds the way to command a running tor. One that was not named
// need not be there.
func (t *Tor) findControl(ctx context.Context, address string) (err error) {
	switch {
	case address != "":
		t.commanded, err = findCommanded(ctx, address)
	case onTails():
		t.commanded, _ = findCommanded(ctx, tailsControl)
	}
	return err
}

// Own reports whether it is a tor of our own.
func (t *Tor) Own() bool { return t.own != nil }

// Socks is where tor takes connections, as Twisted writes endpoints:
// "tcp:127.0.0.1:9050" or "unix:/path". Our own takes them from Enable on.
func (t *Tor) Socks() string { return t.socks.String() }

// Status is how far tor is. It does not ask tor, and may be called often.
func (t *Tor) Status() Status {
	if f := t.following(); f != nil {
		s := f.now()
		s.Own = t.own != nil
		return s
	}
	if _, err := os.Stat(tailsReady); err == nil {
		return Status{Percent: 100}
	}
	return Status{Percent: -1}
}

// Enable lets our own tor use the network; before, no packet leaves it. For a
// tor that ran already it does nothing. It may be called again.
func (t *Tor) Enable(ctx context.Context) error {
	if t.own == nil {
		return nil
	}
	return t.own.enable(ctx)
}

// WaitBootstrapped enables tor and returns when it is connected. When ctx's
// time is up the error is a *ClockError or a *BootstrapError, and ErrEnded if
// our own tor died. A tor that ran already shows whether it is connected on Tails only;
// elsewhere this returns if it still answers.
func (t *Tor) WaitBootstrapped(ctx context.Context) error {
	switch {
	case t.own != nil:
		if err := t.own.enable(ctx); err != nil {
			return err
		}
		return t.own.waitBootstrapped(ctx)
	case onTails():
		return t.waitTails(ctx)
	}
	return checkSocks(ctx, t.socks)
}

// waitTails waits for the mark that Tails sets while its tor is connected.
func (t *Tor) waitTails(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		s := t.Status()
		if s.Connected() {
			return nil
		}
		select {
		case <-ctx.Done():
			return s.timeUp(ctx)
		case <-tick.C:
		}
	}
}

// timeUp is the error of a wait that ctx ended.
func (s Status) timeUp(ctx context.Context) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case s.Skew != 0:
		return &ClockError{Skew: s.Skew}
	}
	return &BootstrapError{Status: s}
}

// DialOnion connects to a port of an onion service: one try, which ends with
// ctx or when tor gives up. An *OnionError says what tor found out. A service
// that has just come up cannot be found at once: try again after a second.
func (t *Tor) DialOnion(ctx context.Context, host string, port int) (net.Conn, error) {
	if err := CheckOnion(host); err != nil {
		return nil, err
	}
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("%w: %s is no port", ErrOnionAddress, strconv.Itoa(port))
	}
	if t.own != nil {
		if err := t.own.err(); err != nil {
			return nil, err
		}
	}
	conn, err := dialOnion(ctx, t.socks, host, uint16(port))
	if err != nil && t.own != nil && ctx.Err() == nil {
		if ended := t.own.err(); ended != nil {
			return nil, ended
		}
	}
	return conn, err
}

// Done is closed when our own tor ended, whoever ended it; Err then says why. Of
// a tor that ran already only the end of our onion services is known: without
// them Done blocks for ever.
func (t *Tor) Done() <-chan struct{} {
	switch {
	case t.own != nil:
		return t.own.child.Done()
	case t.commanded != nil:
		return t.commanded.done
	}
	return nil
}

// Err is an ErrEnded once Done is closed, with tor's last words unless it was closed.
func (t *Tor) Err() error {
	switch {
	case t.own != nil:
		return t.own.err()
	case t.commanded != nil:
		return t.commanded.left()
	}
	return nil
}

// Close ends our own tor and removes its directory. It may be called again. A
// tor that ran already is left alone, but for the onion services we had there.
func (t *Tor) Close() error {
	switch {
	case t.own != nil:
		return t.own.close()
	case t.commanded != nil:
		return t.commanded.close()
	}
	return nil
}
