package tor_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/tor"
)

// A service that is ended lets nobody in any more, and cuts off who was in.
func TestRemovedOnionServiceIsClosedToThoseInside(t *testing.T) {
	host, client := connected(t, config(t)), connected(t, config(t))
	key, address, err := tor.NewOnionKey()
	if err != nil {
		t.Fatal(err)
	}
	service := tor.OnionService{Key: key, Port: 80, LocalPort: listener(t)}
	got, _, err := host.AddOnion(deadline(t, 10*time.Second), service)
	if err != nil || got != address {
		t.Fatalf("tor says the key is that of %q, not of %q: %v", got, address, err)
	}
	if client.Announced(address) {
		t.Error("another tor takes it for its own")
	}
	eventually(t, "the service is announced", func() bool { return host.Announced(address) })
	var inside net.Conn
	eventually(t, "the client is inside", func() bool {
		inside, err = client.DialOnion(deadline(t, 30*time.Second), address, 80)
		return err == nil
	})
	defer inside.Close()
	echo(t, inside)

	if err := host.RemoveOnion(deadline(t, 10*time.Second), address, true); err != nil {
		t.Fatal(err)
	}
	if host.Announced(address) {
		t.Error("it still counts as announced")
	}
	// Her tor may keep the connection open for a while; nothing comes of it.
	inside.SetDeadline(time.Now().Add(5 * time.Second))
	inside.Write([]byte("y"))
	if _, err := inside.Read(make([]byte, 1)); err == nil {
		t.Error("who was inside still is")
	}
	if conn, err := client.DialOnion(deadline(t, 20*time.Second), address, 80); err == nil {
		conn.Close()
		t.Error("it still answers")
	}
	if err := host.RemoveOnion(deadline(t, 10*time.Second), address, true); !errors.Is(err, tor.ErrControl) {
		t.Errorf("ending what is not there: %v", err)
	}

	// The same key is the same service, later.
	if _, _, err := host.AddOnion(deadline(t, 10*time.Second), service); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the service is announced again", func() bool { return host.Announced(address) })
	// Her tor avoids the introduction points that failed it a moment ago, and
	// asks for the new ones only after a while.
	patience := deadline(t, 3*time.Minute)
	for {
		conn, err := client.DialOnion(patience, address, 80)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-patience.Done():
			t.Fatalf("it does not answer again: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// listener sends back what it gets, on every connection until it ends.
func listener(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func echo(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 1)
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, b); err != nil || b[0] != 'x' {
		t.Fatalf("it answered %q, %v", b, err)
	}
}

// A running tor with a control port, as Tails has one behind a filter: it takes
// services and keys, and loses the services when we go.
func TestRunningTorTakesCommands(t *testing.T) {
	cfg := config(t)
	running, client := connected(t, cfg), connected(t, config(t))
	sockets, err := filepath.Glob(filepath.Join(cfg.Dir, "tor-*", "control.sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("its control sockets: %q, %v", sockets, err)
	}
	attach := func() *tor.Tor {
		return start(t, tor.Config{Source: tor.System, Socks: running.Socks(), Control: "unix:" + sockets[0]})
	}
	host := attach()
	if host.Own() || !host.TakesCommands() || running.Err() != nil {
		t.Errorf("own %v, takes commands %v", host.Own(), host.TakesCommands())
	}
	key, address, err1 := tor.NewOnionKey()
	lock, err2 := tor.NewClientKey()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	service := tor.OnionService{Key: key, Port: 80, LocalPort: listener(t), Clients: []string{lock.Public()}}
	if _, _, err := host.AddOnion(deadline(t, 10*time.Second), service); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is announced", func() bool { return host.Announced(address) && host.Status().Connected() })
	if host.Status().Own {
		t.Error("it counts as our own")
	}
	// The key goes to a running tor as well.
	other := start(t, tor.Config{Source: tor.System, Socks: running.Socks(), Control: "unix:" + sockets[0]})
	if err := other.AddClientAuth(deadline(t, 10*time.Second), address, lock); err != nil {
		t.Fatal(err)
	}
	if err := client.AddClientAuth(deadline(t, 10*time.Second), address, lock); err != nil {
		t.Fatal(err)
	}
	answers := func() bool {
		conn, err := client.DialOnion(deadline(t, 30*time.Second), address, 80)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	eventually(t, "it answers", answers)
	if err := host.RemoveOnion(deadline(t, 10*time.Second), address, true); !errors.Is(err, tor.ErrNotOwn) {
		t.Errorf("circuits of a running tor were closed: %v", err)
	}
	if err := errors.Join(host.Close(), host.Close()); err != nil {
		t.Error(err)
	}
	<-host.Done()
	if !errors.Is(host.Err(), tor.ErrEnded) {
		t.Errorf("closed, it says %v", host.Err())
	}
	eventually(t, "it answers no more", func() bool { return !answers() })

	again := attach()
	if _, _, err := again.AddOnion(deadline(t, 10*time.Second), service); err != nil {
		t.Fatal(err)
	}
	running.Close()
	select {
	case <-again.Done():
	case <-time.After(20 * time.Second):
		t.Error("the end of the running tor was not noticed")
	}
	if _, err := tor.Start(deadline(t, 10*time.Second), tor.Config{Socks: client.Socks(), Control: "unix:" + sockets[0]}); !errors.Is(err, tor.ErrControl) {
		t.Errorf("a control port where nobody is: %v", err)
	}
}
