package tahoetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
)

func TestGatewayConforms(t *testing.T) {
	g := NewGateway(t)
	Conformance(t, func(t *testing.T) *tahoeclient.Client { return g.Client(t) })
}

func TestBytesAreReproducible(t *testing.T) {
	a, b, c := Bytes(1, 1000), Bytes(1, 1000), Bytes(2, 1000)
	if !bytes.Equal(a, b) || bytes.Equal(a, c) {
		t.Error("the seed does not decide")
	}
}

func TestSocketIsShortEnough(t *testing.T) {
	g := NewGateway(t)
	if n := len(g.Socket()); n >= 107 {
		t.Errorf("%d bytes: %s", n, g.Socket())
	}
	g.Stop()
	if _, err := os.Stat(g.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of a stopped gateway: %v", err)
	}
	g.Stop()
	g.Start()
	g.Start()
	if _, err := g.Client(t).Grid(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestStopEndsWhatIsInProgress(t *testing.T) {
	g := NewGateway(t)
	c := tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 1})
	defer c.Close()
	g.Hang(8)
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			started <- struct{}{}
			_, err := c.Put(testContext(t), bytes.NewReader(make([]byte, 1000)), 1000)
			wantError(t, err, tahoeclient.ErrNotAnswering)
		}()
	}
	for range 8 {
		<-started
	}
	g.Stop()
	wg.Wait()
	if len(g.Objects()) != 0 {
		t.Error("a hanging upload was carried out")
	}
}

func TestReleasedRequestsGoOn(t *testing.T) {
	g := NewGateway(t)
	c := g.Client(t)
	release := g.Hang(2, OpPut)
	done := make(chan error)
	go func() {
		_, err := c.Put(testContext(t), bytes.NewReader(make([]byte, 1000)), 1000)
		done <- err
	}()
	if _, err := c.Grid(testContext(t)); err != nil { // not of the kind that hangs
		t.Error(err)
	}
	release()
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	put(t, c, fresh(100))
	if n := len(g.Objects()); n != 2 {
		t.Errorf("%d objects", n)
	}
}

func TestLargeFilesFromManyGoroutines(t *testing.T) {
	const size, files = 16 << 20, 12
	g := NewGateway(t)
	c := g.Client(t)
	data := Bytes(1, size+files)
	var wg sync.WaitGroup
	for i := range files {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx := testContext(t)
			part := data[i : i+size]
			file, err := c.Put(ctx, bytes.NewReader(part), size)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := c.ReadAll(ctx, file, size-1000, 1000)
			if err != nil || !bytes.Equal(got, part[size-1000:]) {
				t.Errorf("file %d: %v", i, err)
			}
		}()
	}
	wg.Wait()
	if n := g.StoredBytes(); n != size*files {
		t.Errorf("%d bytes stored", n)
	}
	counts := g.Count()
	if counts.BytesIn[OpPut] != size*files || counts.BytesOut[OpGet] != 1000*files || counts.Requests[OpPut] != files {
		t.Errorf("%+v", counts)
	}
}

func TestContainsLooksEverywhere(t *testing.T) {
	g := NewGateway(t)
	c := g.Client(t)
	file := put(t, c, append(fresh(1000), "a text in a file"...))
	makeDir(t, c, map[string]tahoeclient.Child{"a name": {Cap: file, Metadata: map[string]any{"k": "a value"}}})
	for _, text := range []string{"a text in a file", "a name", "a value"} {
		if !g.Contains(text) {
			t.Errorf("%q is not found", text)
		}
	}
	if g.Contains("something else") {
		t.Error("something else is found")
	}
}

func TestRollback(t *testing.T) {
	g := NewGateway(t)
	c := g.Client(t)
	file := put(t, c, fresh(100))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"1": {Cap: file}})
	for _, name := range []string{"2", "3", "4"} {
		if err := c.Link(testContext(t), dir, name, file, false); err != nil {
			t.Fatal(err)
		}
	}
	g.Rollback(dir, 2)
	wantNames(t, list(t, c, dir), "1", "2")
	if err := c.Link(testContext(t), dir, "5", file, false); err != nil {
		t.Fatal(err)
	}
	wantNames(t, list(t, c, dir), "1", "2", "5")
	g.Rollback(dir, 100)
	wantNames(t, list(t, c, dir), "1")
}

func TestDelayedRequestsCanBeCancelled(t *testing.T) {
	g := NewGateway(t)
	c := g.Client(t)
	g.Delay(time.Hour)
	ctx, cancel := context.WithCancel(testContext(t))
	time.AfterFunc(5*time.Millisecond, cancel)
	_, err := c.Put(ctx, bytes.NewReader(make([]byte, 1000)), 1000)
	wantError(t, err, context.Canceled)
	g.Delay(time.Millisecond)
	put(t, c, fresh(100))
	g.Behave()
	if n := len(g.Objects()); n != 1 {
		t.Errorf("%d objects", n)
	}
}

func TestEncodingIsPartOfACapability(t *testing.T) {
	g := NewGateway(t)
	c := g.Client(t)
	data := fresh(1000)
	a := put(t, c, data)
	g.SetServers(10, 10)
	g.SetEncoding(2, 7, 10)
	b := put(t, c, data)
	if needed, total, _ := b.Encoding(); a == b || needed != 2 || total != 10 {
		t.Errorf("%v and %v: %d of %d", a, b, needed, total)
	}
	g.SetServers(2, 10) // enough for neither: shares 0 and 1 are there
	if _, err := c.ReadAll(testContext(t), b, 0, -1); err != nil {
		t.Errorf("two of two needed: %v", err)
	}
	g.SetServers(1, 10)
	_, err := c.ReadAll(testContext(t), b, 0, -1)
	wantError(t, err, tahoeclient.ErrNotEnoughShares)
}

func TestAnotherGatewayGivesOtherCapabilities(t *testing.T) {
	data := fresh(1000)
	one, other := NewGateway(t).Client(t), NewGateway(t).Client(t)
	if put(t, one, data) == put(t, other, data) {
		t.Error("two gateways agree on a capability without sharing a secret")
	}
}

func TestParseRange(t *testing.T) {
	for header, want := range map[string][]int64{
		"":                {0, 0, 0},
		"bytes=0-9":       {0, 9, 1},
		"bytes=5-":        {5, 99, 1},
		"bytes=-10":       {90, 99, 1},
		"bytes=-1000":     {0, 99, 1},
		"bytes=90-1000":   {90, 99, 1},
		"bytes=0-1, 5-6":  {0, 1, 1},
		"bytes=9-5":       {0, 0, 0},
		"bytes=x-5":       {0, 0, 0},
		"bytes=5":         {0, 0, 0},
		"lines=0-5":       {0, 0, 0},
		"bytes=100-":      {100, 99, 1}, // for the caller to refuse
		"bytes=1000-2000": {1000, 99, 1},
	} {
		first, last, ok := parseRange(header, 100)
		got := []int64{first, last, 0}
		if ok {
			got[2] = 1
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestTornBodyStaysOpen(t *testing.T) {
	g := NewGateway(t)
	c := g.Client(t)
	data := fresh(10_000)
	file := put(t, c, data)
	g.CutBody(5000, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	body, err := c.Get(ctx, file, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	wantError(t, err, context.DeadlineExceeded) // nothing else ended it
	if len(got) > 5000 {
		t.Errorf("%d bytes", len(got))
	}
}
