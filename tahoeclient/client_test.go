package tahoeclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
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

// A torn body has the right beginning, and then text of the gateway. The text

// must never be given as data, wherever the body tears.

// A file may hold the text that a torn body ends in.

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

// slowReader needs longer for each piece than the idle timeout allows.

// An answer may come before the body was taken; the transport then still holds

// the body. Put must not return, or rewind, before that has ended: here the

// race detector looks on.

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

// leaks complains if text holds a part of a capability that is a secret.

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
