package tahoetest

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
)

// Gateway is a gateway and its grid, in memory. Its methods are safe for use
// by several goroutines. It starts with 5 servers, all connected, and stores
// 3-of-5 with a happiness of 4.
type Gateway struct {
	socket string

	mu       sync.Mutex
	files    map[string]*file      // by storage index
	dirs     map[string]*directory // by storage index
	servers  servers
	encoding encoding
	rules    []*rule
	delay    time.Duration
	counts   Counts
	secret   []byte // makes capabilities of equal bytes differ between gateways

	running *running // nil while stopped
}

// running is what exists between Start and Stop.
type running struct {
	http    *http.Server
	stopped chan struct{}

	mu      sync.Mutex
	closed  bool
	serving sync.WaitGroup // the accept loop and the handlers
}

// enter reports whether a new goroutine may serve; it must call serving.Done.
func (r *running) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.serving.Add(1)
	}
	return !r.closed
}

func (r *running) stop() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	close(r.stopped)
	r.http.Close()
	r.serving.Wait()
}

type encoding struct{ needed, happy, total int }

// NewGateway starts a gateway that stops with the test.
func NewGateway(t testing.TB) *Gateway {
	t.Helper()
	// Not t.TempDir: a socket's path must stay below 108 bytes.
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{
		socket:   filepath.Join(dir, "s"),
		files:    make(map[string]*file),
		dirs:     make(map[string]*directory),
		servers:  servers{connected: 5, total: 5},
		encoding: encoding{3, 4, 5},
		secret:   randomBytes(32),
	}
	t.Cleanup(func() {
		g.Stop()
		os.RemoveAll(dir)
	})
	g.Start()
	return g
}

// Socket is the path of the UNIX socket.
func (g *Gateway) Socket() string { return g.socket }

// Client returns a client of the gateway that is in a hurry, and is closed
// with the test.
func (g *Gateway) Client(t testing.TB) *tahoeclient.Client {
	t.Helper()
	c := tahoeclient.New(g.socket, tahoeclient.Options{
		IdleTimeout:    20 * time.Second,
		RequestTimeout: 30 * time.Second,
		RetryWait:      2 * time.Millisecond,
	})
	t.Cleanup(c.Close)
	return c
}

// Start makes a stopped gateway answer again. It keeps what it has stored.
func (g *Gateway) Start() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running != nil {
		return
	}
	listener, err := net.Listen("unix", g.socket)
	if err != nil {
		panic("tahoetest: " + err.Error()) // a fault of the test's surroundings
	}
	r := &running{stopped: make(chan struct{})}
	r.http = &http.Server{Handler: g.handler(r), ErrorLog: log.New(io.Discard, "", 0)}
	r.enter()
	go func() {
		defer r.serving.Done()
		r.http.Serve(listener)
	}()
	g.running = r
}

// Stop makes the gateway go away: the socket is gone, connections are closed,
// requests end without an answer. When it returns nothing is in progress.
func (g *Gateway) Stop() {
	g.mu.Lock()
	r := g.running
	g.running = nil
	g.mu.Unlock()
	if r != nil {
		r.stop()
	}
}

func (g *Gateway) handler(run *running) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !run.enter() {
			panic(http.ErrAbortHandler)
		}
		defer run.serving.Done()
		x := &exchange{g: g, run: run, w: &countingWriter{ResponseWriter: w}, r: r}
		x.serve()
	})
}

// exchange is one request and its answer.
type exchange struct {
	g    *Gateway
	run  *running
	w    *countingWriter
	r    *http.Request
	op   Op
	cap  tahoeclient.Cap // zero if the path has none that parses
	text string          // of the capability in the path
	body []byte
}

func (x *exchange) serve() {
	x.identify()
	// Like the real one: the body is taken whole before anything else happens.
	if !x.readBody() {
		panic(http.ErrAbortHandler)
	}
	defer func() { x.g.count(x.op, int64(len(x.body)), x.w.written) }()
	rule := x.g.match(x.op)
	if !x.wait(x.g.currentDelay()) {
		panic(http.ErrAbortHandler) // a mere return would answer 200
	}
	if rule.before(x) {
		return
	}
	if rule.hidesAnswer() {
		x.w.mute = true
	}
	x.answer(rule)
	x.w.mute = false
	rule.after(x)
}

// identify finds out what is asked.
func (x *exchange) identify() {
	t := x.r.URL.Query().Get("t")
	path := x.r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/uri/"); ok {
		x.text, _ = url.PathUnescape(rest)
		x.cap, _ = tahoeclient.ParseCap(x.text)
	}
	x.op = identify(x.r.Method, path, t, x.text != "")
}

func (x *exchange) readBody() bool {
	if n := x.r.ContentLength; n > 0 {
		x.body = make([]byte, n)
		_, err := io.ReadFull(x.r.Body, x.body)
		return err == nil
	}
	body, err := io.ReadAll(x.r.Body)
	x.body = body
	return err == nil
}

// wait returns false if the client or the gateway went away meanwhile.
func (x *exchange) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
	case <-x.run.stopped:
	}
	return false
}

// hang waits for ch, and returns false if the client or the gateway went away.
func (x *exchange) hang(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-x.r.Context().Done():
	case <-x.run.stopped:
	}
	return false
}

func (x *exchange) answer(r *rule) {
	switch x.op {
	case OpPut:
		x.put()
	case OpGet:
		x.get(r)
	case OpMakeDir:
		x.makeDir()
	case OpReadDir:
		x.describe()
	case OpSetChildren:
		x.setChildren()
	case OpUnlink:
		x.unlink()
	case OpCheck:
		x.check()
	case OpGrid:
		x.gridStatus()
	case OpFrontPage:
		x.frontPage()
	default:
		x.notAllowed()
	}
}

// plain answers with a line of text.
func (x *exchange) plain(status int, text string) {
	x.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	x.w.WriteHeader(status)
	io.WriteString(x.w, text)
}

// traceback answers as the real one does to an unexpected exception.
func (x *exchange) traceback(exception string) {
	text := "Traceback (most recent call last):\n" +
		"  File \"/usr/lib/python3/dist-packages/allmydata/web/common.py\", line 1, in render\n" +
		"    raise Something(x)\n" + exception + "\n"
	accept := x.r.Header.Get("Accept")
	if accept == "" || strings.Contains(accept, "*/*") || strings.Contains(accept, "text/html") {
		x.w.Header().Set("Content-Type", "text/html")
		x.w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(x.w, "<html><head><title>Exception</title></head><body>"+text+"</body></html>")
		return
	}
	x.plain(http.StatusInternalServerError, text)
}

// notAllowed answers with a page that repeats the URL, capability and all.
func (x *exchange) notAllowed() {
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.w.WriteHeader(http.StatusMethodNotAllowed)
	io.WriteString(x.w, "\n<html>\n  <head><title>405 - Method Not Allowed</title></head>\n  <body>\n"+
		"    <h1>Method Not Allowed</h1>\n    <p>Your browser approached me (at "+x.r.RequestURI+
		") with the method \""+x.r.Method+"\".  I only allow the methods HEAD, GET here.</p>\n  </body>\n</html>\n")
}

// countingWriter counts what goes out. While mute it swallows everything.
type countingWriter struct {
	http.ResponseWriter
	written int64
	mute    bool
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.mute {
		return len(p), nil
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

func (w *countingWriter) WriteHeader(status int) {
	if !w.mute {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *countingWriter) flush() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		panic(err)
	}
	return err
}
