package tor

import (
	"context"
	"fmt"
	"sync"
)

// tailsControl is the filter before the control port of Tails' tor. It lets
// through what a profile in /etc/onion-grater.d allows our program, by its path.
const tailsControl = "tcp:127.0.0.1:951"

// commanded is a running tor that takes commands from us.
type commanded struct {
	address string // as Config.Control
	control controlSocket

	mu       sync.Mutex
	services *session // our onion services end with this connection; nil before the first
	events   *session
	follow   *follower
	done     chan struct{} // closed when events ended: with tor, or by close
}

// findCommanded finds out whether the tor at that address takes commands. A filter
// lets everybody connect and authenticate, and then refuses: so it is asked something.
func findCommanded(ctx context.Context, address string) (*commanded, error) {
	e, err := parseEndpoint(address)
	if err != nil {
		return nil, err
	}
	c := &commanded{address: address, control: controlSocket(address), done: make(chan struct{})}
	if e.network == "unix" {
		c.control = controlSocket(e.address)
	}
	if _, err := c.control.request(ctx, "GETINFO version"); err != nil {
		return nil, err
	}
	return c, nil
}

// open makes the connections that onion services need.
func (c *commanded) open(ctx context.Context) (err error) {
	if c.services != nil {
		return nil
	}
	services, err := c.control.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			services.conn.Close()
		}
	}()
	events, err := c.control.open(ctx)
	if err != nil {
		return err
	}
	if _, err = events.request(ctx, "SETEVENTS STATUS_CLIENT HS_DESC"); err != nil {
		events.conn.Close()
		return err
	}
	c.services, c.events, c.follow = services, events, follow(events)
	go func() {
		<-c.follow.done
		close(c.done)
	}()
	// What came to pass before anybody listened is told only if asked for.
	if lines, err := c.control.request(ctx, "GETINFO status/bootstrap-phase"); err == nil {
		c.follow.begin(lines)
	}
	return nil
}

// watch notices from now on when tor ends.
func (c *commanded) watch(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open(ctx)
}

// request sends a command about onion services.
func (c *commanded) request(ctx context.Context, line string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	return c.services.request(ctx, line)
}

// following is nil before there are onion services.
func (c *commanded) following() *follower {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follow
}

// close ends our onion services.
func (c *commanded) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.services == nil {
		return nil
	}
	c.services.conn.Close()
	c.events.conn.Close()
	<-c.done
	return nil
}

// TakesCommands reports whether onion services can be offered and unlocked: a
// tor of our own always lets us, a running one if its control port does.
func (t *Tor) TakesCommands() bool { return t.own != nil || t.commanded != nil }

// asker sends tor a command about onion services, and returns its answer.
type asker func(ctx context.Context, command string) ([]string, error)

// services is how tor takes commands about onion services that we offer.
func (t *Tor) services() (asker, error) {
	switch {
	case t.own != nil:
		return t.own.control.request, nil
	case t.commanded != nil:
		return t.commanded.request, nil
	}
	return nil, ErrNotOwn
}

// keys is how tor takes keys to onion services of others.
func (t *Tor) keys() (asker, error) {
	switch {
	case t.own != nil:
		return t.own.control.request, nil
	case t.commanded != nil:
		return t.commanded.control.request, nil
	}
	return nil, ErrNotOwn
}

// following is what tor's events say; nil if we hear none.
func (t *Tor) following() *follower {
	switch {
	case t.own != nil:
		return t.own.follow
	case t.commanded != nil:
		return t.commanded.following()
	}
	return nil
}

// left is the error of a running tor that ended the connection to us.
func (c *commanded) left() error {
	select {
	case <-c.done:
		return fmt.Errorf("%w: the running tor ended, or does not listen to us any more", ErrEnded)
	default:
		return nil
	}
}
