package tahoeclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func client(t testing.TB, socket string, o tahoeclient.Options) *tahoeclient.Client {
	t.Helper()
	if o.RetryWait == 0 {
		o.RetryWait = time.Millisecond
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 30 * time.Second
	}
	c := tahoeclient.New(socket, o)
	t.Cleanup(c.Close)
	return c
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func put(t testing.TB, c *tahoeclient.Client, data []byte) tahoeclient.Cap {
	t.Helper()
	file, err := c.Put(testContext(t), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func makeDir(t testing.TB, c *tahoeclient.Client, names ...string) tahoeclient.Cap {
	t.Helper()
	children := make(map[string]tahoeclient.Child)
	for _, name := range names {
		children[name] = tahoeclient.Child{Cap: put(t, c, tahoetest.Bytes(uint64(len(name)), 100))}
	}
	dir, err := c.MakeDir(testContext(t), children)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantError(t testing.TB, got error, wants ...error) {
	t.Helper()
	for _, want := range wants {
		if !errors.Is(got, want) {
			t.Errorf("got error %v, want %v", got, want)
		}
	}
}

// stranger listens on a UNIX socket and hands each connection to serve.
func stranger(t *testing.T, serve func(conn net.Conn)) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Add(1)
			go func() {
				defer wg.Done()
				serve(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
		os.RemoveAll(dir)
	})
	return socket
}

// says answers the beginning of every connection's first request with text,
// takes no more of it, and keeps the connection open.
func says(t *testing.T, text string) (socket string) {
	return stranger(t, func(conn net.Conn) {
		conn.Read(make([]byte, 4096))
		io.WriteString(conn, text)
	})
}

func TestNoGateway(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{Attempts: 2})
	file := put(t, c, tahoetest.Bytes(1, 1000))
	g.Stop()
	_, err := c.Put(testContext(t), bytes.NewReader([]byte("x")), 1)
	wantError(t, err, tahoeclient.ErrNotAnswering, syscall.ENOENT)
	_, err = c.ReadAll(testContext(t), file, 0, -1)
	wantError(t, err, tahoeclient.ErrNotAnswering)
	_, err = c.Grid(testContext(t))
	wantError(t, err, tahoeclient.ErrNotAnswering)
	if !tahoeclient.Temporary(err) {
		t.Errorf("%v is not temporary", err)
	}
	g.Start()
	if _, err := c.ReadAll(testContext(t), file, 0, -1); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

func TestGatewayThatComesBackIsFound(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{})
	dir := makeDir(t, c, "a")
	for range 5 {
		// The connections from before are dead, which nobody noticed.
		g.Stop()
		g.Start()
		if err := c.Link(testContext(t), dir, "a", put(t, c, []byte("x")), true); err != nil {
			t.Fatal(err)
		}
	}
}

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

func TestAttemptsAreBounded(t *testing.T) {
	g := tahoetest.NewGateway(t)
	var log bytes.Buffer
	c := client(t, g.Socket(), tahoeclient.Options{Attempts: 3, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	g.Fail(100, 500, "builtins.RuntimeError: x")
	_, err := c.Put(testContext(t), bytes.NewReader([]byte("x")), 1)
	var e *tahoeclient.Error
	if !errors.As(err, &e) || e.Status != 500 || e.Op != "uploading" {
		t.Errorf("%v", err)
	}
	if n := g.Count().Requests[tahoetest.OpPut]; n != 3 {
		t.Errorf("%d requests", n)
	}
	if n := strings.Count(log.String(), "trying again"); n != 2 {
		t.Errorf("%d lines:\n%s", n, log.String())
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

// A torn body has the right beginning, and then text of the gateway. The text
// must never be given as data, wherever the body tears.
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

// A file may hold the text that a torn body ends in.
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

func TestSilentGatewayIsGivenUp(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := client(t, g.Socket(), tahoeclient.Options{IdleTimeout: 20 * time.Millisecond, RequestTimeout: 20 * time.Millisecond, Attempts: 1})
	patient := g.Client(t)
	file, dir := put(t, patient, tahoetest.Bytes(1, 1000)), makeDir(t, patient, "a")
	release := g.Hang(1000)
	defer release()
	ctx := testContext(t)
	calls := map[string]func() error{
		"put":   func() error { _, err := c.Put(ctx, bytes.NewReader(make([]byte, 1000)), 1000); return err },
		"empty": func() error { _, err := c.Put(ctx, bytes.NewReader(nil), 0); return err },
		"get":   func() error { _, err := c.Get(ctx, file, 0, -1); return err },
		"read":  func() error { _, err := c.ReadAll(ctx, file, 0, -1); return err },
		"mkdir": func() error { _, err := c.MakeDir(ctx, map[string]tahoeclient.Child{"a": {Cap: file}}); return err },
		"list":  func() error { _, err := c.ReadDir(ctx, dir); return err },
		"link":  func() error { return c.Link(ctx, dir, "b", file, false) },
		"unl":   func() error { return c.Unlink(ctx, dir, "a") },
		"check": func() error { _, err := c.Check(ctx, file, tahoeclient.CheckOptions{}); return err },
		"grid":  func() error { _, err := c.Grid(ctx); return err },
		"ver":   func() error { _, err := c.Version(ctx); return err },
	}
	for name, call := range calls {
		err := call()
		if !errors.Is(err, tahoeclient.ErrNotAnswering) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
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

// slowReader needs longer for each piece than the idle timeout allows.
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

// An answer may come before the body was taken; the transport then still holds
// the body. Put must not return, or rewind, before that has ended: here the
// race detector looks on.
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

func TestCancelEndsEverythingAtOnce(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file, dir := put(t, c, tahoetest.Bytes(1, 1000)), makeDir(t, c, "a")
	why := errors.New("the person pressed Stop")
	calls := map[tahoetest.Op]func(ctx context.Context) error{
		tahoetest.OpPut: func(ctx context.Context) error {
			_, err := c.Put(ctx, bytes.NewReader(make([]byte, 1000)), 1000)
			return err
		},
		tahoetest.OpGet:         func(ctx context.Context) error { _, err := c.ReadAll(ctx, file, 0, -1); return err },
		tahoetest.OpReadDir:     func(ctx context.Context) error { _, err := c.ReadDir(ctx, dir); return err },
		tahoetest.OpSetChildren: func(ctx context.Context) error { return c.Link(ctx, dir, "b", file, false) },
		tahoetest.OpUnlink:      func(ctx context.Context) error { return c.Unlink(ctx, dir, "a") },
		tahoetest.OpCheck: func(ctx context.Context) error {
			_, err := c.Check(ctx, file, tahoeclient.CheckOptions{})
			return err
		},
		tahoetest.OpGrid: func(ctx context.Context) error { _, err := c.Grid(ctx); return err },
	}
	for op, call := range calls {
		t.Run(string(op), func(t *testing.T) {
			release := g.Hang(1, op)
			defer release()
			ctx, cancel := context.WithCancelCause(testContext(t))
			// The request is on its way, or soon will be: either must end.
			time.AfterFunc(5*time.Millisecond, func() { cancel(why) })
			err := call(ctx)
			wantError(t, err, context.Canceled, why)
			if tahoeclient.Temporary(err) {
				t.Errorf("%v is temporary", err)
			}
		})
	}
	expired, cancel := context.WithDeadline(context.Background(), time.Now())
	defer cancel()
	if _, err := c.Grid(expired); err != context.DeadlineExceeded {
		t.Errorf("an expired deadline gives %v", err)
	}
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

func TestStrangersAnswers(t *testing.T) {
	file := parse(t, "URI:CHK:"+key1+":"+hash1+":3:5:1000")
	dir := parse(t, "URI:DIR2:"+key1+":"+fp1)
	answer := func(status, header, body string) string {
		return "HTTP/1.1 " + status + "\r\n" + header + fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n\r\n", len(body)) + body
	}
	ctx := testContext(t)
	for name, text := range map[string]string{
		"no HTTP":               "220 smtp.example.org ESMTP\r\n",
		"no status":             "HTTP/1.1 None None\r\n\r\n",
		"no capability":         answer("200 OK", "", "hello"),
		"empty":                 answer("200 OK", "", ""),
		"other size":            answer("200 OK", "", "URI:CHK:"+key1+":"+hash1+":3:5:999"),
		"verify capability":     answer("200 OK", "", "URI:CHK-Verifier:"+key1+":"+hash1+":3:5:1000"),
		"directory":             answer("200 OK", "", "URI:DIR2:"+key1+":"+fp1),
		"page":                  answer("200 OK", "Content-Type: text/html\r\n", "<html></html>"),
		"not a pair":            answer("200 OK", "", `["dirnode"]`),
		"no children":           answer("200 OK", "", `["dirnode", {}]`),
		"odd children":          answer("200 OK", "", `["dirnode", {"children": []}]`),
		"unknown":               answer("200 OK", "", `["unknown", {}]`),
		"redirect":              answer("302 Found", "Location: http://example.org/\r\n", ""),
		"not modified":          answer("304 Not Modified", "", ""),
		"other range":           answer("206 Partial Content", "Content-Range: bytes 1-1000/1001\r\n", strings.Repeat("x", 1000)),
		"no range":              answer("206 Partial Content", "", strings.Repeat("x", 1000)),
		"long header":           "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 200_000) + "\r\n\r\n",
		"capability in garbage": "URI:CHK:" + key1 + ":" + hash1 + ":3:5:999\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, says(t, text), tahoeclient.Options{Attempts: 2})
			check := func(err error) {
				t.Helper()
				if err == nil {
					t.Error("taken for a success")
					return
				}
				for _, secret := range []string{key1, hash1, fp1, url.QueryEscape("URI:")} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("tells a secret: %v", err)
					}
				}
			}
			_, err := c.Put(ctx, bytes.NewReader(make([]byte, 1000)), 1000)
			check(err)
			_, err = c.ReadAll(ctx, file, 0, -1)
			check(err)
			_, err = c.ReadDir(ctx, dir)
			check(err)
			_, err = c.Check(ctx, file, tahoeclient.CheckOptions{Repair: true})
			check(err)
			_, err = c.Version(ctx)
			check(err)
			if name != "directory" { // which is right for this one
				_, err = c.MakeDir(ctx, map[string]tahoeclient.Child{"a": {Cap: file}})
				check(err)
			}
		})
	}
}

func TestErrorsTellNoSecrets(t *testing.T) {
	g := tahoetest.NewGateway(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := client(t, g.Socket(), tahoeclient.Options{Attempts: 2, IdleTimeout: time.Second, Logger: logger})
	file, dir := put(t, c, tahoetest.Bytes(1, 1000)), makeDir(t, c, "a")
	readOnly, err := dir.ReadOnly()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := file.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	secrets := []tahoeclient.Cap{file, dir, readOnly, verifier}
	ctx := testContext(t)

	var errs []error
	all := func() {
		_, err := c.Put(ctx, bytes.NewReader(tahoetest.Bytes(2, 100)), 100)
		errs = append(errs, err)
		for _, at := range secrets {
			_, err = c.Get(ctx, at, 0, -1)
			errs = append(errs, err)
			_, err = c.ReadAll(ctx, at, 0, -1)
			errs = append(errs, err)
			_, err = c.ReadAll(ctx, at, 2000, 5)
			errs = append(errs, err)
			_, err = c.ReadDir(ctx, at)
			errs = append(errs, err)
			_, err = c.Describe(ctx, at)
			errs = append(errs, err)
			_, err = c.MakeDir(ctx, map[string]tahoeclient.Child{"a": {Cap: at}})
			errs = append(errs, err)
			_, err = c.Check(ctx, at, tahoeclient.CheckOptions{Repair: true})
			errs = append(errs, err)
			errs = append(errs, c.Link(ctx, at, "a", file, false), c.Unlink(ctx, at, "zz"), c.Link(ctx, dir, "a", at, false))
		}
	}
	all()
	for _, status := range []int{400, 404, 405, 409, 410, 500, 503} {
		for _, at := range secrets {
			body := "before " + at.Secret() + "\n<p>at /uri/" + url.QueryEscape(at.Secret()) + "?t=json</p>\nallmydata.x.SomeError: " + at.Secret()
			g.Fail(1000, status, body)
			all()
			g.Behave()
		}
	}
	g.Drop(1000)
	all()
	g.Behave()
	g.Stop()
	all()

	tried := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		tried++
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, err))
		}
		var buf bytes.Buffer
		slog.New(slog.NewJSONHandler(&buf, nil)).Error("failed", "error", err)
		slog.New(slog.NewTextHandler(&buf, nil)).Error("failed", "error", err)
		for _, text := range append(texts, buf.String()) {
			for _, at := range secrets {
				leaks(t, text, at)
			}
		}
	}
	for _, at := range secrets {
		leaks(t, log.String(), at)
	}
	if tried < 200 || log.Len() == 0 {
		t.Errorf("only %d errors and %d bytes of log were looked at", tried, log.Len())
	}
}

// leaks complains if text holds a part of a capability that is a secret.
func leaks(t *testing.T, text string, at tahoeclient.Cap) {
	t.Helper()
	for _, part := range strings.Split(at.Secret(), ":") {
		if len(part) > 20 && strings.Contains(text, part) {
			t.Fatalf("tells %s of %v: %s", part, at, text)
		}
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("everything", func(t *testing.T) {
		g := tahoetest.NewGateway(t)
		c := tahoeclient.New(g.Socket(), tahoeclient.Options{
			IdleTimeout: 20 * time.Millisecond, RequestTimeout: 20 * time.Millisecond, MinRate: 1 << 40, Attempts: 1,
		})
		defer c.Close()
		file := put(t, g.Client(t), tahoetest.Bytes(1, 1<<20))
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				ctx, cancel := context.WithCancel(testContext(t))
				defer cancel()
				switch i % 4 {
				case 0:
					c.ReadAll(ctx, file, 0, -1)
				case 1:
					body, err := c.Get(ctx, file, 0, -1)
					if err == nil {
						body.Read(make([]byte, 100))
						body.Close()
					}
				case 2:
					body, err := c.Get(ctx, file, 0, -1)
					if err == nil {
						cancel()
						io.ReadAll(body)
						// Never closed: the end of ctx is enough.
					}
				case 3:
					g.Hang(1, tahoetest.OpPut)
					c.Put(ctx, bytes.NewReader(make([]byte, 1<<20)), 1<<20)
				}
			}()
		}
		wg.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	g := tahoetest.NewGateway(t)
	var mu sync.Mutex
	accepted := 0
	socket := stranger(t, func(conn net.Conn) {
		mu.Lock()
		accepted++
		mu.Unlock()
		up, err := net.Dial("unix", g.Socket())
		if err != nil {
			conn.Close()
			return
		}
		go func() {
			io.Copy(up, conn)
			up.Close()
		}()
		io.Copy(conn, up)
		conn.Close()
	})
	c := client(t, socket, tahoeclient.Options{})
	dir := makeDir(t, c, "a")
	for range 20 {
		file := put(t, c, tahoetest.Bytes(1, 300_000))
		if _, err := c.ReadAll(testContext(t), file, 5, 250_000); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ReadDir(testContext(t), dir); err != nil {
			t.Fatal(err)
		}
		wantError(t, c.Unlink(testContext(t), dir, "zz"), tahoeclient.ErrNoChild)
	}
	mu.Lock()
	defer mu.Unlock()
	if accepted > 3 {
		t.Errorf("%d connections for requests one after the other", accepted)
	}
}

func TestRequestsLookAsTahoeWantsThem(t *testing.T) {
	var mu sync.Mutex
	var got []*http.Request
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r)
		w.WriteHeader(http.StatusTeapot)
	})}
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Skip(err)
	}
	go server.Serve(l)
	defer server.Close()
	c := client(t, filepath.Join(dir, "s"), tahoeclient.Options{})
	file := parse(t, "URI:CHK:"+key1+":"+hash1+":3:5:1000")
	d := parse(t, "URI:DIR2:"+key1+":"+fp1)
	c.Put(testContext(t), bytes.NewReader(make([]byte, 100)), 100)
	c.Get(testContext(t), file, 10, 20)
	c.Unlink(testContext(t), d, "a b&c=d%/"[:8])
	c.Link(testContext(t), d, "a", file, false)

	mu.Lock()
	defer mu.Unlock()
	want := []string{
		"PUT /uri",
		"GET /uri/URI%3ACHK%3A" + key1 + "%3A" + hash1 + "%3A3%3A5%3A1000",
		"POST /uri/URI%3ADIR2%3A" + key1 + "%3A" + fp1 + "?name=a+b%26c%3Dd%25&t=unlink",
		"POST /uri/URI%3ADIR2%3A" + key1 + "%3A" + fp1 + "?replace=false&t=set_children",
	}
	if len(got) != len(want) {
		t.Fatalf("%d requests", len(got))
	}
	for i, r := range got {
		if r.Method+" "+r.RequestURI != want[i] {
			t.Errorf("got %s %s, want %s", r.Method, r.RequestURI, want[i])
		}
		if r.Header.Get("Accept") != "text/plain" || r.Header.Get("User-Agent") != "" || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("header %v", r.Header)
		}
	}
	if got[0].ContentLength != 100 || len(got[0].TransferEncoding) != 0 || got[1].Header.Get("Range") != "bytes=10-29" {
		t.Errorf("length %d, encoding %v, range %q", got[0].ContentLength, got[0].TransferEncoding, got[1].Header.Get("Range"))
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
