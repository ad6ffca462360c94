package slowline

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Speed is how slow a line is in each direction. The zero value does not slow.
type Speed struct {
	Delay time.Duration // one way
	Rate  int64         // bytes a second; 0 is no bound
}

// Line is an open line. All methods may be called from any goroutine.
type Line struct {
	target   string
	pieces   int
	listener net.Listener
	up, down direction // to the target, and from it
	work     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	cut    chan struct{} // closed with closed
}

// Open opens a line from a port of 127.0.0.1 to target, "127.0.0.1:PORT". The
// caller closes it.
func Open(target string, s Speed) (*Line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a slow line: %w", err)
	}
	l := &Line{
		target: target, pieces: s.pieces(), listener: listener,
		up: direction{speed: s}, down: direction{speed: s},
		conns: make(map[net.Conn]bool), cut: make(chan struct{}),
	}
	l.work.Add(1)
	go l.accept()
	return l, nil
}

// Port is where the line begins.
func (l *Line) Port() int { return l.listener.Addr().(*net.TCPAddr).Port }

// Slow changes the speed, also of connections that are there. A line that was
// opened without bounds can be slowed to any speed.
func (l *Line) Slow(s Speed) {
	l.up.set(s)
	l.down.set(s)
}

// Moved is how many bytes have come out at the target, and at our end.
func (l *Line) Moved() (up, down int64) { return l.up.moved.Load(), l.down.moved.Load() }

// Close cuts all connections and returns when nothing of the line is left. It
// may be called again.
func (l *Line) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.cut)
	}
	for c := range l.conns {
		c.Close()
	}
	l.mu.Unlock()
	err := l.listener.Close()
	l.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (l *Line) accept() {
	defer l.work.Done()
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.work.Add(1)
		go func() {
			defer l.work.Done()
			l.join(near.(*net.TCPConn))
		}()
	}
}

// join carries one connection until both directions have ended.
func (l *Line) join(near *net.TCPConn) {
	defer l.drop(near)
	if !l.keep(near) {
		return
	}
	conn, err := net.Dial("tcp", l.target)
	if err != nil {
		return // as a server that is down does
	}
	far := conn.(*net.TCPConn)
	defer l.drop(far)
	if !l.keep(far) {
		return
	}
	var both sync.WaitGroup
	for _, f := range []*flow{
		{direction: &l.up, from: near, to: far},
		{direction: &l.down, from: far, to: near},
	} {
		f.queue, f.broken, f.cut = make(chan piece, l.pieces), make(chan struct{}), l.cut
		both.Add(1)
		go func() {
			defer both.Done()
			f.carry()
		}()
	}
	both.Wait()
}

// keep remembers a connection for Close. It is false if that was called before.
func (l *Line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.conns[c] = true
	}
	return !l.closed
}

func (l *Line) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.Close()
}
