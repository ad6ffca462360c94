package slowline

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pieceSize is what is read at once. At the rates of onion services it
	// takes some hundredths of a second to leave: connections take turns.
	pieceSize = 8 << 10

	// ahead is how many pieces a connection may have at the near end, so that the
	// line is not idle while whoever reads wakes up.
	ahead = 2

	// spare is how many pieces wait beside those that the delay holds back, and
	// unbounded how many there are on a line without a rate.
	spare, unbounded = 16, 2048
)

// direction is one direction of a line.
type direction struct {
	moved atomic.Int64

	mu    sync.Mutex
	speed Speed
	free  time.Time // when all that was put on the line has left its near end
}

func (d *direction) set(s Speed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.speed = s
}

// put puts n bytes on the line. Another piece may follow at next, and the last of
// these comes to the far end at arrives.
func (d *direction) put(n int) (next, arrives time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.free.Before(now) {
		d.free = now
	}
	next = d.free
	if d.speed.Rate > 0 {
		d.free = d.free.Add(d.speed.takes(n))
		next = d.free.Add(-d.speed.takes((ahead - 1) * pieceSize))
	}
	return next, d.free.Add(d.speed.Delay)
}

// takes is how long n bytes take to leave.
func (s Speed) takes(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(s.Rate)
}

// pieces is how many are under way at most: what comes in during the delay at
// full rate, so that the delay costs no throughput.
func (s Speed) pieces() int {
	if s.Rate == 0 {
		return unbounded
	}
	return spare + int(float64(s.Rate)*s.Delay.Seconds())/pieceSize
}

// piece is what is on its way.
type piece struct {
	data []byte
	due  time.Time // at the far end
}

// flow is one connection's use of one direction.
type flow struct {
	*direction
	from, to *net.TCPConn
	queue    chan piece
	cut      <-chan struct{} // the line is closed
	broken   chan struct{}   // nobody takes what comes out
	err      error           // how reading ended; set before queue is closed
}

// carry moves what comes until it ends, and passes the end on. A connection
// that breaks at one end is cut at the other.
func (f *flow) carry() {
	var reading sync.WaitGroup
	reading.Add(1)
	go func() {
		defer reading.Done()
		defer close(f.queue)
		f.err = f.read()
	}()
	err := f.write()
	close(f.broken)
	if err != nil {
		f.from.Close()
	}
	reading.Wait()
	if err == nil && errors.Is(f.err, io.EOF) {
		f.to.CloseWrite()
	} else {
		f.to.Close()
	}
}

// read puts what comes on the line, as fast as that takes it: what it does not
// take stays with the sender.
func (f *flow) read() error {
	for {
		data := make([]byte, pieceSize)
		n, err := f.from.Read(data)
		if n > 0 {
			next, due := f.put(n)
			select {
			case f.queue <- piece{data[:n], due}:
			case <-f.broken:
				return net.ErrClosed
			}
			if !f.sleepUntil(next) {
				return net.ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// write takes what arrives off the line.
func (f *flow) write() error {
	for p := range f.queue {
		if !f.sleepUntil(p.due) {
			return net.ErrClosed
		}
		n, err := f.to.Write(p.data)
		f.moved.Add(int64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// sleepUntil is false if the line was closed meanwhile.
func (f *flow) sleepUntil(t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.cut:
		return false
	}
}
