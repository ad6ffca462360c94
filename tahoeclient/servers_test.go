package tahoeclient_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func TestDamageIsSaidOnceAllServersWereThere(t *testing.T) {
	g := tahoetest.NewGateway(t)
	quick := tahoeclient.Options{Attempts: 5, RetryWait: time.Microsecond, Servers: 5}
	few, none := put(t, g.Client(t), tahoetest.Bytes(1, 1000)), put(t, g.Client(t), tahoetest.Bytes(2, 1000))
	dir := makeDir(t, g.Client(t), "a")
	g.LoseShares(few, 2)
	g.LoseShares(dir, 2)
	g.LoseObject(none)
	tests := []struct {
		name             string
		connected, known int
		damaged          bool
		tries            int // of a file of which something is left
	}{
		{"all there", 5, 5, true, 3},
		{"one away", 4, 5, false, 5},
		{"one unknown", 4, 4, false, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g.SetServers(tt.connected, tt.known)
			c := client(t, g.Socket(), quick)
			before := g.Count().Requests[tahoetest.OpGet]
			_, err := c.ReadAll(testContext(t), few, 0, -1)
			wantError(t, err, tahoeclient.ErrNotEnoughShares)
			if got := errors.Is(err, tahoeclient.ErrDamaged); got != tt.damaged {
				t.Errorf("called damaged: %v, %v", got, err)
			}
			if tries := g.Count().Requests[tahoetest.OpGet] - before; tries != tt.tries {
				t.Errorf("%d tries", tries)
			}
			_, err = c.ReadAll(testContext(t), none, 0, -1)
			wantError(t, err, tahoeclient.ErrGone)
			if got := errors.Is(err, tahoeclient.ErrDamaged); got != tt.damaged {
				t.Errorf("called damaged: %v, %v", got, err)
			}
			_, err = c.ReadDir(testContext(t), dir)
			if got := errors.Is(err, tahoeclient.ErrDamaged); got != tt.damaged {
				t.Errorf("called damaged: %v, %v", got, err)
			}
		})
	}
}

func TestFullServersAreAskedAFewTimesOnly(t *testing.T) {
	g := tahoetest.NewGateway(t)
	g.Fail(100, 500, "allmydata.interfaces.UploadUnhappinessError: they are full", tahoetest.OpPut)
	c := client(t, g.Socket(), tahoeclient.Options{Attempts: 9, RetryWait: time.Microsecond})
	_, err := c.Put(testContext(t), bytes.NewReader(tahoetest.Bytes(1, 1000)), 1000)
	wantError(t, err, tahoeclient.ErrUnhappy)
	if tries := g.Count().Requests[tahoetest.OpPut]; tries != 3 {
		t.Errorf("%d tries", tries)
	}
}

// A request that hangs has had its time; asking nine times would be nine times
// as long.
func TestSilenceIsWaitedForTwice(t *testing.T) {
	g := tahoetest.NewGateway(t)
	file, dir := put(t, g.Client(t), tahoetest.Bytes(1, 1000)), makeDir(t, g.Client(t), "a")
	c := client(t, g.Socket(), tahoeclient.Options{IdleTimeout: 100 * time.Millisecond, Attempts: 9, RetryWait: time.Microsecond})
	for op, ask := range map[tahoetest.Op]func() error{
		tahoetest.OpGet: func() error { _, err := c.ReadAll(testContext(t), file, 0, -1); return err },
		tahoetest.OpSetChildren: func() error {
			return c.Link(testContext(t), dir, "b", file, true)
		},
	} {
		before := g.Count().Requests[op]
		release := g.Hang(100, op)
		err := ask()
		wantError(t, err, tahoeclient.ErrNotAnswering)
		wantError(t, err, tahoeclient.ErrStuck)
		release()
		if tries := g.Count().Requests[op] - before; tries != 2 {
			t.Errorf("%s: %d tries", op, tries)
		}
	}
	g.Stop()
	if _, err := c.ReadAll(testContext(t), file, 0, -1); errors.Is(err, tahoeclient.ErrStuck) {
		t.Errorf("a gateway that is gone: %v", err)
	}
}

func TestSilentServerIsNotUsable(t *testing.T) {
	const heard = `{"nodeid": "v0-a", "connection_status": "%s", "version": "tahoe-lafs/1.20.0", "last_received_data": %s}`
	ago := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(-d).Unix()) }
	tests := []struct {
		name, status, heard string
		silent, usable      bool
	}{
		{"just heard", "Connected to tcp:x", ago(time.Second), false, true},
		{"long ago", "Connected to tcp:x", ago(time.Minute), true, false},
		{"nobody knows", "Connected to tcp:x", "null", false, true},
		{"long ago and away", "Reconnecting in 3 seconds", ago(time.Minute), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"servers": [` + fmt.Sprintf(heard, tt.status, tt.heard) + `]}`
			socket := says(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			g, err := client(t, socket, tahoeclient.Options{SilentAfter: 30 * time.Second}).Grid(testContext(t))
			if err != nil || len(g.Servers) != 1 {
				t.Fatalf("%+v, %v", g, err)
			}
			if g.Servers[0].Silent != tt.silent || (g.Usable() == 1) != tt.usable {
				t.Errorf("%+v", g)
			}
		})
	}
}
