package slowline

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience is for tests that hang: nothing else depends on it.
const patience = 30 * time.Second

// server answers each connection with serve; it closes what serve leaves open.
func server(t *testing.T, serve func(*net.TCPConn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Add(1)
	go func() {
		defer work.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Add(1)
			go func() {
				defer work.Done()
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				serve(c.(*net.TCPConn))
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

func echo(c *net.TCPConn) {
	io.Copy(c, c)
	c.CloseWrite()
}

func open(t *testing.T, target string, s Speed) *Line {
	t.Helper()
	l, err := Open(target, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, l *Line) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(l.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// What is sent comes out, all of it and in order, however much there is, and
// the end of one direction leaves the other open.
func TestWhatIsSentComesBackWhole(t *testing.T) {
	l := open(t, server(t, echo), Speed{Delay: 5 * time.Millisecond})
	want := random(3 << 20)
	c := dial(t, l)
	go func() {
		c.Write(want)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d of %d bytes came back, or not the same: %v", len(got), len(want), err)
	}
	if up, down := l.Moved(); up != int64(len(want)) || down != int64(len(want)) {
		t.Errorf("counted %d and %d", up, down)
	}
}

// Faster than the line allows would be wrong; how much slower this machine is
// says nothing.
func TestLineIsNoFasterThanItSays(t *testing.T) {
	const delay, rate, n = 40 * time.Millisecond, 1 << 20, 256 << 10
	l := open(t, server(t, echo), Speed{})
	l.Slow(Speed{Delay: delay, Rate: rate})
	c := dial(t, l)
	began := time.Now()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*delay {
		t.Errorf("there and back took %v", took)
	}
	// Two connections share the line.
	began = time.Now()
	var group sync.WaitGroup
	for range 2 {
		c := dial(t, l)
		group.Add(1)
		go func() {
			defer group.Done()
			go c.Write(make([]byte, n))
			if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	if took := time.Since(began); took < 2*n*time.Second/rate {
		t.Errorf("%d bytes took %v", 2*n, took)
	}
}

// What is on its way must not hold back what comes after it.
func TestDelayDoesNotLimitTheRate(t *testing.T) {
	const rate, seconds = 4 << 20, 2
	if held := (Speed{Delay: seconds * time.Second, Rate: rate}).pieces() * pieceSize; held < rate*seconds {
		t.Errorf("the line holds %d bytes, and %d are on their way at full rate", held, rate*seconds)
	}
	// More than the sockets hold, and nothing comes out for an hour.
	l := open(t, server(t, echo), Speed{Delay: time.Hour})
	if n, err := dial(t, l).Write(make([]byte, unbounded*pieceSize)); err != nil {
		t.Errorf("%d bytes are on their way, and no more: %v", n, err)
	}
}

// A receiver that takes nothing must stop the sender, not fill our memory.
func TestSenderIsHeldBack(t *testing.T) {
	taken := make(chan struct{})
	l := open(t, server(t, func(c *net.TCPConn) { <-taken }), Speed{Rate: 1 << 30})
	c := dial(t, l)
	c.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := c.Write(make([]byte, 256<<20))
	var late net.Error
	if !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("%d bytes were taken by nobody: %v", n, err)
	}
	close(taken)
}

func TestBrokenConnectionBreaksAtTheOtherEnd(t *testing.T) {
	l := open(t, server(t, func(c *net.TCPConn) {
		c.SetLinger(0) // a reset
	}), Speed{Delay: time.Millisecond})
	if got, err := io.ReadAll(dial(t, l)); len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere.Close()
	l = open(t, nowhere.Addr().String(), Speed{})
	if got, err := io.ReadAll(dial(t, l)); len(got) != 0 {
		t.Errorf("from a server that is down: %q, %v", got, err)
	}
}

// Close must not wait for what is on its way, nor for who is silent.
func TestCloseEndsEverything(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	l := open(t, server(t, func(c *net.TCPConn) {
		close(began)
		defer close(ended)
		io.Copy(io.Discard, c)
	}), Speed{Delay: time.Hour})
	c := dial(t, l)
	if _, err := c.Write([]byte("on its way for an hour")); err != nil {
		t.Fatal(err)
	}
	<-began
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, io.EOF) {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("our end is still open: %v", err)
		}
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the target's end is still open")
	}
	if _, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(l.Port())); err == nil {
		t.Error("a closed line takes connections")
	}
}
