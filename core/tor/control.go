package tor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/cretz/bine/control"
)

const (
	// tor answers commands at once or, as has been seen, never.
	requestWait = 10 * time.Second

	// Success that bine takes for an error: a key was stored and at once of use.
	statusKeyUsed = 252
)

// controlSocket is where a tor takes commands: a path, or "tcp:" and an address.
// Each command has a connection of its own: one that is never answered then
// spoils nothing.
type controlSocket string

// session is an authenticated connection to a control socket.
type session struct {
	conn    net.Conn
	control *control.Conn
}

// open connects and authenticates. The caller closes conn.
func (c controlSocket) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	where := endpoint{"unix", string(c)}
	if address, ok := strings.CutPrefix(string(c), "tcp:"); ok {
		where = endpoint{"tcp", address}
	}
	conn, err := where.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, withoutAddress(err))
	}
	s := &session{conn, control.NewConn(textproto.NewConn(conn))}
	err = bounded(ctx, conn, func() error { return s.control.Authenticate("") })
	if err != nil {
		conn.Close()
		return nil, failure(ctx, "AUTHENTICATE", err)
	}
	return s, nil
}

// request sends one command on a connection of its own.
func (c controlSocket) request(ctx context.Context, command string) (lines []string, err error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.conn.Close()
	return s.request(ctx, command)
}

// request returns the lines of the answer without their code, the last one left out.
func (s *session) request(ctx context.Context, command string) (lines []string, err error) {
	verb, _, _ := strings.Cut(command, " ")
	if !printable(command) {
		return nil, fmt.Errorf("%w: %s: not one line of text", ErrControl, verb)
	}
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	err = bounded(ctx, s.conn, func() error {
		answer, err := s.control.SendRequest("%s", command)
		if answer != nil {
			lines = answer.Data
		}
		var refusal *textproto.Error
		if errors.As(err, &refusal) && refusal.Code == statusKeyUsed {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, failure(ctx, verb, err)
	}
	return lines, nil
}

// failure leaves out tor's text, which may repeat a key.
func failure(ctx context.Context, verb string, err error) error {
	var refusal *textproto.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s was not answered", ErrControl, verb)
	case errors.As(err, &refusal):
		return fmt.Errorf("%w: it refused %s (code %d)", ErrControl, verb, refusal.Code)
	}
	return fmt.Errorf("%w: %s: %w", ErrControl, verb, withoutAddress(err))
}
