package tor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serve lets a server answer connections until the test ends.
func serve(t *testing.T, answer func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return "tcp:" + listener.Addr().String()
}

// closedPort is one where nothing answers.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// request reads a greeting and a request, and returns the request's command.
func request(conn net.Conn) byte {
	io.ReadFull(conn, make([]byte, 3))
	conn.Write([]byte{5, 0})
	head := make([]byte, 5)
	if _, err := io.ReadFull(conn, head); err != nil {
		return 0
	}
	io.ReadFull(conn, make([]byte, int(head[4])+2))
	return head[1]
}

// likeTor answers lookups of literals and refuses everything else.
func likeTor(conn net.Conn) {
	switch request(conn) {
	case 0:
	case socksResolve:
		conn.Write([]byte{5, 0, 0, 1, 192, 0, 2, 123, 0, 0})
	default:
		conn.Write([]byte{5, 1, 0, 1, 0, 0, 0, 0, 0, 0})
	}
}

// safe is a tor with SafeSocks, which does not like literals.
func safe(conn net.Conn) {
	reader := bufio.NewReader(conn)
	if first, _ := reader.Peek(1); string(first) == "G" {
		io.WriteString(conn, "HTTP/1.0 501 Tor is not an HTTP Proxy\r\n\r\n<h1>This is a SOCKS proxy, not an HTTP proxy.</h1>")
		return
	}
	io.ReadFull(reader, make([]byte, 3))
	conn.Write([]byte{5, 0})
	io.ReadFull(reader, make([]byte, 7+len(literal)))
	conn.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
}

// says answers the first bytes with others.
func says(answer ...byte) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Read(make([]byte, 100))
		conn.Write(answer)
	}
}

func TestOnlyTorIsTakenForTor(t *testing.T) {
	web := http.Server{Handler: http.NotFoundHandler()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go web.Serve(listener)
	defer web.Close()
	for _, c := range []struct {
		name, address string
		want          error
		say           string
	}{
		{"tor", serve(t, likeTor), nil, ""},
		{"tor with SafeSocks", serve(t, safe), nil, ""},
		{"nothing", "tcp:" + closedPort(t), ErrNoSocks, "refused"},
		{"no socket", "unix:/no/such/socket", ErrNoSocks, "no such file"},
		{"silent", serve(t, func(conn net.Conn) { io.Copy(io.Discard, conn) }), ErrNotTor, "says nothing"},
		{"a web server", "tcp:" + listener.Addr().String(), ErrNotTor, "says nothing"},
		{"an eager web server", serve(t, says([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...)), ErrNotTor, "web server"},
		{"closes", serve(t, func(conn net.Conn) { conn.Read(make([]byte, 3)) }), ErrNotTor, "closed"},
		{"SOCKS 4", serve(t, says(0, 0x5b, 0, 0, 0, 0, 0, 0)), ErrNotTor, "SOCKS 5"},
		{"wrong version", serve(t, says(6, 0)), ErrNotTor, "SOCKS 5"},
		{"wants a password", serve(t, says(5, 0xff)), ErrNotTor, "password"},
		{"closes after the greeting", serve(t, says(5, 0)), ErrNotTor, "closed"},
		{"another SOCKS 5 server", serve(t, func(conn net.Conn) {
			request(conn)
			conn.Write([]byte{5, 7, 0, 1, 0, 0, 0, 0, 0, 0})
		}), ErrNotTor, "0x07"},
		{"agrees to everything", serve(t, func(conn net.Conn) {
			request(conn)
			conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		}), ErrNotTor, "nonsense"},
		{"an odd reply", serve(t, func(conn net.Conn) {
			request(conn)
			conn.Write([]byte{5, 0, 0, 9, 0, 0, 0, 0, 0, 0})
		}), ErrNotTor, "not SOCKS 5"},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		_, err := attach(ctx, c.address)
		cancel()
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := attach(ctx, serve(t, likeTor)); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestSocksAddresses(t *testing.T) {
	for _, good := range []string{"tcp:127.0.0.1:9050", "tcp:127.9.9.9:1", "unix:/run/tor/socks", "unix:/a b:c"} {
		if e, err := parseEndpoint(good); err != nil || e.String() != good {
			t.Errorf("%q is %q: %v", good, e, err)
		}
	}
	for _, bad := range []string{
		"", "9050", "127.0.0.1:9050", "tcp:9050", "tcp:localhost:9050", "tcp:10.0.0.1:9050", "tcp:[::1]:9050", "tcp:127.0.0.1:0",
		"tcp:127.0.0.1:99999", "unix:socks", "unix:", "unix:/a\nb", "unix:/" + strings.Repeat("x", 107), "http://127.0.0.1:9050",
	} {
		if _, err := parseEndpoint(bad); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

const someOnion = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"

func TestReasonsOnionServicesAreNotReached(t *testing.T) {
	for code, say := range map[byte]string{
		0x01: "no reason", 0x04: "switched off", 0x05: "program behind it", 0x06: "in time", 0xf0: "not announced", 0xf1: "not valid",
		0xf2: "introduction", 0xf3: "rendezvous", 0xf4: "tor has none", 0xf5: "a wrong one", 0xf6: "not valid", 0xf7: "timed out", 0x99: "0x99",
	} {
		c := &Tor{socks: endpointOf(t, serve(t, func(conn net.Conn) {
			request(conn)
			conn.Write(append([]byte{5, code, 0, 4}, make([]byte, 18)...))
		}))}
		_, err := c.DialOnion(context.Background(), someOnion, 80)
		var onion *OnionError
		if !errors.As(err, &onion) || onion.Code != code || !errors.Is(err, ErrOnion) || !strings.Contains(err.Error(), say) {
			t.Errorf("%#x: %v", code, err)
		} else if strings.Contains(err.Error(), "duckduckgo") || onion.Locked() != (code == 0xf4 || code == 0xf5) {
			t.Errorf("%#x: %v is locked: %v", code, err, onion.Locked())
		}
	}
}

func endpointOf(t *testing.T, address string) endpoint {
	t.Helper()
	e, err := parseEndpoint(address)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A server may speak first, and its words may come together with tor's reply.
func TestFirstWordsOfAServiceAreNotLost(t *testing.T) {
	c := &Tor{socks: endpointOf(t, serve(t, func(conn net.Conn) {
		request(conn)
		conn.Write(append([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "first words"...))
	}))}
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := c.DialOnion(ctx, someOnion, 80)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel() // it bounds the dialling only
	if words, err := io.ReadAll(conn); err != nil || !bytes.Equal(words, []byte("first words")) {
		t.Errorf("it said %q: %v", words, err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	c := &Tor{socks: endpointOf(t, serve(t, func(conn net.Conn) { io.Copy(io.Discard, conn) }))}
	cause := errors.New("no longer wanted")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, cause)
	defer cancel()
	if _, err := c.DialOnion(ctx, someOnion, 80); !errors.Is(err, cause) {
		t.Errorf("DialOnion returned %v", err)
	}
	for _, port := range []int{-1, 0, 65536} {
		if _, err := c.DialOnion(ctx, someOnion, port); !errors.Is(err, ErrOnionAddress) {
			t.Errorf("port %d: %v", port, err)
		}
	}
}

func TestOnionAddresses(t *testing.T) {
	if err := CheckOnion(someOnion); err != nil {
		t.Error(err)
	}
	name := strings.TrimSuffix(someOnion, ".onion")
	for _, bad := range []string{
		"", ".onion", name, "example.org", name + ".exit", "www." + someOnion, strings.ToUpper(name) + ".onion",
		strings.Replace(someOnion, "duck", "dukc", 1), name[:55] + "a.onion", "expyuzz4wqqyqhjn.onion", someOnion + "\r\n",
	} {
		if err := CheckOnion(bad); !errors.Is(err, ErrOnionAddress) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	text := "ED25519-V3:" + strings.Repeat("A", 86) + "=="
	onion, err1 := ParseOnionKey(text)
	client, err2 := NewClientKey()
	same, err3 := ParseClientKey(client.Secret())
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if onion.Secret() != text || same.Public() != client.Public() || same.Secret() != client.Secret() {
		t.Error("a key that was read is another one")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		for _, said := range []string{
			fmt.Sprintf(verb, onion), fmt.Sprintf(verb, client), fmt.Sprintf(verb, OnionService{Key: onion}),
		} {
			if strings.Contains(said, "AAAA") || strings.Contains(said, client.Secret()) {
				t.Errorf("%s prints %s", verb, said)
			}
		}
	}
	for _, bad := range []string{"", "RSA1024:AAAA", text + "\n", text + " Port=1,192.0.2.1:1", "ED25519-V3:" + strings.Repeat("A", 88)} {
		if _, err := ParseOnionKey(bad); err == nil {
			t.Errorf("%q was taken for a key", bad)
		}
	}
	for _, bad := range []string{"", client.Secret() + "A", strings.ToLower(client.Secret()), client.Secret()[:51]} {
		if _, err := ParseClientKey(bad); err == nil {
			t.Errorf("%q was taken for a key", bad)
		}
	}
}
