package tahoeclient_test

import (
	"bytes"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// A server that hangs must not hold up a restore for the minutes in which the
// gateway still hopes.
func TestDownloadThatHangsIsAskedForAnew(t *testing.T) {
	g := tahoetest.NewGateway(t)
	data := tahoetest.Bytes(1, 1_000_000)
	file := put(t, g.Client(t), data)
	for name, fault := range map[string]func(){
		"from the first byte on":       func() { g.Hang(2, tahoetest.OpGet) },
		"in the middle":                func() { g.HangBody(400_000, 1) },
		"in the middle and once again": func() { g.HangBody(400_000, 1); g.Hang(1, tahoetest.OpGet) },
	} {
		g.Behave()
		fault()
		c := client(t, g.Socket(), tahoeclient.Options{HangAfter: 50 * time.Millisecond, Attempts: 1})
		got, err := c.ReadAll(testContext(t), file, 0, -1)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if out := g.Count().BytesOut[tahoetest.OpGet]; out > 3_500_000 {
		t.Errorf("%d bytes fetched for three times a megabyte: it began again", out)
	}
}

// Where nothing else helps, the gateway gets the time it may need: it knows of
// servers that come back.
func TestWhatHangsAgainAndAgainGetsAllTheTime(t *testing.T) {
	g := tahoetest.NewGateway(t)
	file := put(t, g.Client(t), tahoetest.Bytes(1, 1000))
	c := client(t, g.Socket(), tahoeclient.Options{HangAfter: 5 * time.Millisecond, IdleTimeout: 300 * time.Millisecond, RetryWait: time.Microsecond})
	before := g.Count().Requests[tahoetest.OpGet]
	release := g.Hang(100, tahoetest.OpGet)
	began := time.Now()
	_, err := c.ReadAll(testContext(t), file, 0, -1)
	wantError(t, err, tahoeclient.ErrNotAnswering, tahoeclient.ErrStuck)
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("given up after %v: the gateway had no time", took)
	}
	release()
	if tries := g.Count().Requests[tahoetest.OpGet] - before; tries != 4 {
		t.Errorf("%d tries instead of two short and two long ones", tries)
	}
}

// A directory is read from all servers, also when it is asked for anew.
func TestOnlyWhatHasOtherServersIsAskedForAnew(t *testing.T) {
	g := tahoetest.NewGateway(t)
	dir := makeDir(t, g.Client(t), "a")
	c := client(t, g.Socket(), tahoeclient.Options{HangAfter: time.Millisecond, IdleTimeout: 100 * time.Millisecond, Attempts: 1})
	before := g.Count().Requests[tahoetest.OpReadDir]
	release := g.Hang(100, tahoetest.OpReadDir)
	_, err := c.ReadDir(testContext(t), dir)
	wantError(t, err, tahoeclient.ErrNotAnswering)
	release()
	if tries := g.Count().Requests[tahoetest.OpReadDir] - before; tries != 1 {
		t.Errorf("%d tries", tries)
	}
}
