package tahoeclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func TestUploadIsRepeated(t *testing.T) {
	tests := []struct {
		name  string
		fault func(g *tahoetest.Gateway)
		puts  int
	}{
		{"gateway fails", func(g *tahoetest.Gateway) { g.Fail(2, 500, "builtins.RuntimeError: x", tahoetest.OpPut) }, 3},
		{"connection lost", func(g *tahoetest.Gateway) { g.Drop(2, tahoetest.OpPut) }, 3},
		{"answer lost", func(g *tahoetest.Gateway) { g.DropAfter(2, tahoetest.OpPut) }, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tahoetest.NewGateway(t)
			c := client(t, g.Socket(), tahoeclient.Options{})
			tt.fault(g)
			data := tahoetest.Bytes(1, 300_000)
			// From the middle of a larger thing, and not to its end.
			body := bytes.NewReader(append(append([]byte("before"), data...), "after"...))
			body.Seek(6, io.SeekStart)
			file, err := c.Put(testContext(t), body, int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.ReadAll(testContext(t), file, 0, -1); err != nil || !bytes.Equal(got, data) {
				t.Errorf("came back changed: %v", err)
			}
			counts := g.Count()
			if counts.Requests[tahoetest.OpPut] != tt.puts || counts.BytesIn[tahoetest.OpPut] != int64(tt.puts*len(data)) {
				t.Errorf("%+v", counts)
			}
			if g.StoredBytes() != int64(len(data)) {
				t.Errorf("%d bytes stored", g.StoredBytes())
			}
		})
	}
}

func TestTooFewServersIsUnhappy(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{Attempts: 1})
	data := tahoetest.Bytes(1, 1000)
	file, dir := put(t, c, data), makeDir(t, c, "a")
	for _, connected := range []int{3, 0} {
		g.SetServers(connected, 5)
		_, err := c.Put(testContext(t), bytes.NewReader(data), 1000)
		wantError(t, err, tahoeclient.ErrUnhappy)
	}
	_, err := c.MakeDir(testContext(t), map[string]tahoeclient.Child{"a": {Cap: file}})
	wantError(t, err, tahoeclient.ErrUnhappy)

	// Without servers a gateway says that no share exists; that is not to be believed.
	_, err = c.ReadAll(testContext(t), file, 0, -1)
	wantError(t, err, tahoeclient.ErrNotEnoughShares)
	_, err = c.ReadDir(testContext(t), dir)
	wantError(t, err, tahoeclient.ErrNotEnoughShares)

	g.SetServers(5, 5)
	g.LoseShares(file, 2)
	_, err = c.ReadAll(testContext(t), file, 0, -1)
	wantError(t, err, tahoeclient.ErrNotEnoughShares)
	g.LoseObject(file)
	_, err = c.ReadAll(testContext(t), file, 0, -1)
	wantError(t, err, tahoeclient.ErrGone)
	var e *tahoeclient.Error
	if !errors.As(err, &e) || e.Status != 410 {
		t.Errorf("%v", err)
	}
	if put(t, c, data) != file {
		t.Error("stored again, it is something else")
	}
	if _, err = c.ReadAll(testContext(t), file, 0, -1); err != nil {
		t.Errorf("stored again: %v", err)
	}
}

func TestTornBodyIsNeverData(t *testing.T) {
	const size = 200_000
	data := tahoetest.Bytes(1, size)
	for _, after := range []int64{0, 1, 23, 24, 25, 65_535, 65_536, 65_560, 131_072, size - 100, size - 25} {
		for _, how := range []string{"torn", "closed"} {
			t.Run(fmt.Sprint(how, " after ", after), func(t *testing.T) {
				t.Parallel()
				g := tahoetest.NewGateway(t)
				c := client(t, g.Socket(), tahoeclient.Options{IdleTimeout: 500 * time.Millisecond, Attempts: 1})
				file := put(t, g.Client(t), data)
				if how == "torn" {
					g.CutBody(after, 1)
				} else {
					g.CloseBody(after, 1)
				}
				body, err := c.Get(testContext(t), file, 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				got, err := io.ReadAll(body)
				wantError(t, err, tahoeclient.ErrShortRead, io.ErrUnexpectedEOF)
				if !bytes.HasPrefix(data, got) {
					t.Errorf("%d bytes, which are not the file's", len(got))
				}
				if _, again := body.Read(make([]byte, 10)); !errors.Is(again, tahoeclient.ErrShortRead) {
					t.Errorf("then %v", again)
				}
			})
		}
	}
}

func TestFileWithTheTextOfATornBody(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{})
	for _, text := range []string{"problem during download\n", strings.Repeat("problem during download\n", 9000)} {
		for _, tail := range []string{"", "p", "problem", strings.Repeat("x", 100)} {
			data := []byte(strings.Repeat("x", 1000) + text + tail)
			got, err := c.ReadAll(testContext(t), put(t, c, data), 0, -1)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes with tail %q: %v", len(data), tail, err)
			}
		}
	}
}

func TestReadAllGoesOnAfterATornBody(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{IdleTimeout: 500 * time.Millisecond})
	data := tahoetest.Bytes(1, 1_000_000)
	file := put(t, g.Client(t), data)
	g.CutBody(400_000, 1)
	g.CloseBody(400_000, 1)
	g.Fail(1, 500, "builtins.RuntimeError: x", tahoetest.OpGet)
	got, err := c.ReadAll(testContext(t), file, 7, 999_000)
	if err != nil || !bytes.Equal(got, data[7:999_007]) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if out := g.Count().BytesOut[tahoetest.OpGet]; out > 1_300_000 {
		t.Errorf("%d bytes fetched for 1 MB: it began again", out)
	}
	g.CloseBody(1000, 100)
	_, err = c.ReadAll(testContext(t), file, 0, -1)
	wantError(t, err, tahoeclient.ErrShortRead)
}

func TestCorruptBytesAreGivenAsTheyAre(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	data := tahoetest.Bytes(1, 10_000)
	file := put(t, c, data)
	g.Corrupt(file)
	got, err := c.ReadAll(testContext(t), file, 0, -1)
	if err != nil || len(got) != len(data) || bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestStalledBodyIsGivenUp(t *testing.T) {
	socket := says(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+strings.Repeat("x", 500))
	c := client(t, socket, tahoeclient.Options{IdleTimeout: 20 * time.Millisecond, Attempts: 1})
	file := parse(t, "URI:CHK:"+key1+":"+hash1+":3:5:1000")
	_, err := c.ReadAll(testContext(t), file, 0, -1)
	// It asked for a part, and got an answer for the whole.
	wantError(t, err, tahoeclient.ErrShortRead, tahoeclient.ErrNotAnswering)
}

func TestGatewayThatTakesNoBodyIsGivenUp(t *testing.T) {
	socket := stranger(t, func(net.Conn) {})
	c := client(t, socket, tahoeclient.Options{IdleTimeout: 20 * time.Millisecond, Attempts: 1})
	_, err := c.Put(testContext(t), bytes.NewReader(make([]byte, 8<<20)), 8<<20)
	wantError(t, err, tahoeclient.ErrNotAnswering)
}

type slowReader struct {
	io.ReadSeeker
	wait time.Duration
}

func (r slowReader) Read(p []byte) (int, error) {
	<-time.After(r.wait)
	return r.ReadSeeker.Read(p[:min(len(p), 20_000)])
}

func TestSlowButMovingUploadIsNotKilled(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{IdleTimeout: 200 * time.Millisecond, RequestTimeout: 10 * time.Second, Attempts: 1})
	data := tahoetest.Bytes(1, 60_000)
	body := slowReader{bytes.NewReader(data), 300 * time.Millisecond}
	if _, err := c.Put(testContext(t), body, int64(len(data))); err != nil {
		t.Error(err)
	}
}

func TestSlowReaderIsNotKilled(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{IdleTimeout: 200 * time.Millisecond, RequestTimeout: 10 * time.Second, Attempts: 1})
	data := tahoetest.Bytes(1, 8<<20) // more than fits on the way
	body, err := c.Get(testContext(t), put(t, g.Client(t), data), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	<-time.After(300 * time.Millisecond)
	got, err := io.ReadAll(iotest.HalfReader(body))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestBodyOfTheCallerFails(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	broken := errors.New("disk on fire")
	_, err := c.Put(testContext(t), &brokenReader{err: broken}, 1000)
	wantError(t, err, broken)
	if tahoeclient.Temporary(err) || errors.Is(err, tahoeclient.ErrNotAnswering) {
		t.Errorf("%v is blamed on the gateway", err)
	}
	_, err = c.Put(testContext(t), bytes.NewReader(make([]byte, 10)), 1000)
	wantError(t, err, io.ErrUnexpectedEOF)
	if _, err = c.Put(testContext(t), bytes.NewReader(nil), -1); err == nil {
		t.Error("a negative size was taken")
	}
	if n := len(g.Objects()); n != 0 {
		t.Errorf("%d objects were stored", n)
	}
}

type brokenReader struct {
	err  error
	read int
}

func (r *brokenReader) Seek(int64, int) (int64, error) { return 0, nil }

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.read >= 100 {
		return 0, r.err
	}
	r.read += 100
	return 100, nil
}

func TestBodyIsLeftAloneAfterwards(t *testing.T) {
	socket := says(t, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\nlate")
	c := client(t, socket, tahoeclient.Options{Attempts: 3})
	data := make([]byte, 4<<20)
	_, err := c.Put(testContext(t), bytes.NewReader(data), int64(len(data)))
	for i := range data {
		data[i] = 1
	}
	if !tahoeclient.Temporary(err) {
		t.Errorf("%v", err)
	}

	ctx, cancel := context.WithCancel(testContext(t))
	deaf := client(t, stranger(t, func(net.Conn) { cancel() }), tahoeclient.Options{})
	_, err = deaf.Put(ctx, bytes.NewReader(data), int64(len(data)))
	clear(data)
	wantError(t, err, context.Canceled)
}

func TestClosedDownload(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file := put(t, c, tahoetest.Bytes(1, 4<<20))
	body, err := c.Get(testContext(t), file, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := body.Read(make([]byte, 10)); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%d bytes, %v", n, err)
	}

	// Close while Read waits.
	g.CutBody(0, 1)
	body, err = c.Get(testContext(t), file, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := io.ReadAll(body)
		done <- err
	}()
	body.Close()
	if err := <-done; err == nil {
		t.Error("a closed body was complete")
	}
}

func BenchmarkPut(b *testing.B) {
	g := tahoetest.NewGateway(b)
	c := g.Client(b)
	data := tahoetest.Bytes(1, 16<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		put(b, c, data)
	}
}

func BenchmarkReadAll(b *testing.B) {
	g := tahoetest.NewGateway(b)
	c := g.Client(b)
	file := put(b, c, tahoetest.Bytes(1, 16<<20))
	b.SetBytes(16 << 20)
	for b.Loop() {
		if _, err := c.ReadAll(testContext(b), file, 0, -1); err != nil {
			b.Fatal(err)
		}
	}
}
