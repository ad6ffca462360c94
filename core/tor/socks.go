package tor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	socksConnect = 0x01
	socksResolve = 0xf0 // tor's own

	// A tor that runs answers a greeting at once, also without network.
	greetingWait = 5 * time.Second

	// Longer than tor itself tries.
	connectWait = 3 * time.Minute
)

// literal is asked of a SOCKS server as a name to look up. tor answers at
// once, without asking anybody; others do not know the request. It is an
// address for documentation, so that nobody would be troubled.
const literal = "192.0.2.123"

// checkSocks finds out whether tor answers at e.
func checkSocks(ctx context.Context, e endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, greetingWait)
	defer cancel()
	conn, err := e.dial(ctx)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %s: %w", ErrNoSocks, e, withoutAddress(err))
	}
	defer conn.Close()
	var said byte
	var found net.IP
	err = bounded(ctx, conn, func() error {
		if err := greet(conn); err != nil {
			return err
		}
		said, found, err = command(conn, socksResolve, literal, 0)
		return err
	})
	switch {
	case err == nil && said == 0 && found.String() == literal:
		return nil
	case err == nil && said == 0:
		err = errors.New("it answers tor's own request with nonsense")
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case err == nil && answersBrowsers(ctx, e): // its SafeSocks refuses literals
		return nil
	case err == nil:
		err = fmt.Errorf("it refused tor's own request (SOCKS code %#02x)", said)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("it says nothing")
	}
	return fmt.Errorf("%w: %s: %w", ErrNotTor, e, withoutAddress(err))
}

// answersBrowsers reports whether a web request gets the page that tor has
// for browsers that took it for an HTTP proxy.
func answersBrowsers(ctx context.Context, e endpoint) bool {
	conn, err := e.dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	var page []byte
	bounded(ctx, conn, func() error {
		io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		page, err = io.ReadAll(io.LimitReader(conn, 4096))
		return err
	})
	return strings.Contains(string(page), "This is a SOCKS proxy, not an HTTP proxy")
}

// bounded runs do and breaks conn off when ctx ends; then the error is a timeout.
func bounded(ctx context.Context, conn net.Conn, do func() error) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err := do()
	if !stop() && err == nil {
		return os.ErrDeadlineExceeded // it came too late to be used
	}
	return err
}

// greet offers to go on without a password.
func greet(conn net.Conn) error {
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return broken(err)
	}
	switch {
	case answer == [2]byte{'H', 'T'}:
		return errors.New("it is a web server")
	case answer[0] != 5:
		return errors.New("it does not speak SOCKS 5")
	case answer[1] != 0:
		return errors.New("it wants a password")
	}
	return nil
}

// command sends a request for a name and returns the code of the reply, and the
// address in it.
func command(conn net.Conn, what byte, name string, port uint16) (code byte, address net.IP, err error) {
	request := append([]byte{5, what, 0, 3, byte(len(name))}, name...)
	if _, err := conn.Write(binary.BigEndian.AppendUint16(request, port)); err != nil {
		return 0, nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, nil, broken(err)
	}
	length := map[byte]int{1: net.IPv4len, 4: net.IPv6len}[head[3]]
	if head[0] != 5 || length == 0 {
		return 0, nil, errors.New("its reply is not SOCKS 5")
	}
	// Read no further: what comes next belongs to the connection.
	rest := make([]byte, length+2)
	_, err = io.ReadFull(conn, rest)
	return head[1], rest[:length], broken(err)
}

// broken is a sentence for a connection that ended too early.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it closed the connection")
	}
	return err
}

// withoutAddress leaves out what a net.OpError repeats.
func withoutAddress(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// dialOnion connects to an onion service through the tor at e.
func dialOnion(ctx context.Context, e endpoint, host string, port uint16) (net.Conn, error) {
	conn, err := e.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrNoSocks, e, withoutAddress(err))
	}
	wait, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	var said byte
	err = bounded(wait, conn, func() error {
		if err := greet(conn); err != nil {
			return err
		}
		said, _, err = command(conn, socksConnect, host, port)
		return err
	})
	switch {
	case err == nil && said == 0:
		return conn, nil
	case err == nil:
		err = &OnionError{Code: said}
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case wait.Err() != nil:
		err = &OnionError{Code: 0x06}
	default:
		err = fmt.Errorf("%w: %s: %w", ErrNotTor, e, withoutAddress(err))
	}
	conn.Close()
	return nil, err
}
