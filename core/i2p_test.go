package core

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"

	"hiddenbackup/core/manifest"
)

func samBridge(t *testing.T, answer string) (address string) {
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
			bufio.NewReader(conn).ReadString('\n')
			io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

// Without an I2P router nothing is started, whatever else answers there.
func TestI2PNeedsARouter(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, address := range map[string]string{
		"nothing":    closed.Addr().String(),
		"web server": samBridge(t, "HTTP/1.0 400 Bad Request\r\n\r\n"),
		"no version": samBridge(t, "HELLO REPLY RESULT=NOVERSION\n"),
		"silence":    samBridge(t, ""),
		"long line":  samBridge(t, string(make([]byte, 4096))),
	} {
		c := Config{SAM: address, Directory: t.TempDir(), AllowDisk: true}
		l := connection{grid: manifest.Grid{Network: manifest.NetworkI2P}}
		config, err := gatewayConfig(c, l.grid)
		if err != nil {
			t.Fatal(err)
		}
		err = l.start(t.Context(), c, config, nil)
		if !errors.Is(err, ErrNoI2P) || Explain(err).Exit != ExitGrid || l.gateway != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, address := range []string{"localhost:7656", "192.0.2.1:7656", "[::1]:7656", "127.0.0.1", ""} {
		if err := checkSAM(t.Context(), address); !errors.Is(err, ErrSAM) || Explain(err).Exit != ExitUsage {
			t.Errorf("a router at %q: %v", address, err)
		}
	}
	if err := checkSAM(t.Context(), samBridge(t, "HELLO REPLY RESULT=OK VERSION=3.1\n")); err != nil {
		t.Errorf("a router: %v", err)
	}
}
