package tor_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bePlugin makes the test binary a pluggable transport that changes nothing.
const bePlugin = "test-plugin"

// plugin is what tor expects of such a program: a SOCKS server on loopback.
// It marks the connections that went through it.
func plugin(mark string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Printf("VERSION 1\nCMETHOD obfs4 socks5 %v\nCMETHODS DONE\n", listener.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin) // tor closes it at its end
		os.Exit(0)
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			os.Exit(0)
		}
		go carry(conn, mark)
	}
}

func carry(conn net.Conn, mark string) {
	defer conn.Close()
	read := func(n int) []byte {
		data := make([]byte, n)
		io.ReadFull(conn, data)
		return data
	}
	read(int(read(2)[1]))
	conn.Write([]byte{5, 2}) // user and password carry the bridge line's arguments
	user := string(read(int(read(2)[1])))
	read(int(read(1)[0]))
	conn.Write([]byte{1, 0})
	request := read(10)
	to := net.TCPAddr{IP: request[4:8], Port: int(request[8])<<8 | int(request[9])}
	bridge, err := net.Dial("tcp", to.String())
	if err != nil {
		return
	}
	defer bridge.Close()
	os.WriteFile(mark, []byte(user), 0o600)
	conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go io.Copy(bridge, conn)
	io.Copy(conn, bridge)
}

func TestBridges(t *testing.T) {
	cfg := config(t)
	// "DirAuthority name orport=N no-v2 v3ident=… 127.0.0.1:N fingerprint": it is a relay as well.
	fields := strings.Fields(cfg.Private[1])
	bridge := "127.0.0.1:" + strings.TrimPrefix(fields[2], "orport=") + " " + fields[6]

	programs := directory(t)
	mark := filepath.Join(programs, "mark")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %s %s %s\n", self, bePlugin, mark)
	if err := os.WriteFile(filepath.Join(programs, "obfs4proxy"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))

	for _, line := range []string{bridge, "Bridge obfs4 " + bridge + " cert=abc iat-mode=0"} {
		cfg.Bridges = []string{line}
		c := start(t, cfg)
		if err := c.WaitBootstrapped(deadline(t, 30*time.Second)); err != nil {
			t.Fatalf("with %q: %v", line, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if pids := processesIn(cfg.Dir); len(pids) > 0 {
			t.Errorf("processes %v are left", pids)
		}
	}
	if args, err := os.ReadFile(mark); err != nil || string(args) != "cert=abc;iat-mode=0" {
		t.Errorf("nothing went through the plugin: %q, %v", args, err)
	}
}
