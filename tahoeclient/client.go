package tahoeclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options adjusts a Client. The zero value is right for a gateway over Tor
// with timeout.keepalive = 60 and timeout.disconnect = 300.
type Options struct {
	// IdleTimeout is how long a wait may last in which no byte moves in either
	// direction. 0 means 14 minutes: with the timers above, a gateway takes up
	// to 12 to give a silent server up, and only then answers.
	IdleTimeout time.Duration

	// HangAfter is how long a download may wait for its next byte at least until
	// it is asked for anew. A gateway that waits for a server that hangs does so
	// for minutes, and asked anew finds others at once. 0 means never.
	HangAfter time.Duration

	// RequestTimeout bounds the waiting for one request as a whole, with the
	// time for its bytes added (see MinRate). 0 means 15 minutes.
	RequestTimeout time.Duration

	// MinRate, in bytes per second, is what the slowest grid we wait for
	// moves: a body of n bytes may take n/MinRate longer. 0 means 4096.
	MinRate int64

	// Attempts is how often a request that may be repeated is tried on
	// temporary errors. 0 means 4; 1 means never again. Waiting for a gateway
	// that says nothing ends with the second attempt: it has had its time.
	Attempts int

	// RetryWait is the wait before the second attempt; it doubles with each
	// further one, up to half a minute. 0 means half a second.
	RetryWait time.Duration

	// SilentAfter is how long nothing may have come from a connected server
	// before it counts as Silent. It must be longer than the gateway's
	// timeout.keepalive twice, and an answer. 0 means 3 minutes.
	SilentAfter time.Duration

	// Servers is how many storage servers the grid has at least: a gateway
	// that knows fewer does not know all. 0 means those it knows.
	Servers int

	// Cause is asked why the way to the servers is closed when a request was
	// given up; nil is the answer when it is open. nil asks nobody.
	Cause func(ctx context.Context) error

	// Logger gets a line for each repeated request. It never sees a
	// capability. nil means nobody is told.
	Logger *slog.Logger
}

const (
	defaultIdleTimeout    = 14 * time.Minute
	defaultRequestTimeout = 15 * time.Minute
	defaultMinRate        = 4096
	defaultAttempts       = 4
	defaultRetryWait      = 500 * time.Millisecond
	defaultSilentAfter    = 3 * time.Minute

	dialTimeout = 10 * time.Second // a UNIX socket that accepts at all does so at once

	maxJSON   = 64 << 20
	maxAnswer = 64 << 10 // of an answer that is one line
	maxError  = 256 << 10
)

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&o.IdleTimeout, defaultIdleTimeout)
	set(&o.RequestTimeout, defaultRequestTimeout)
	set(&o.RetryWait, defaultRetryWait)
	set(&o.SilentAfter, defaultSilentAfter)
	if o.MinRate <= 0 {
		o.MinRate = defaultMinRate
	}
	if o.Attempts <= 0 {
		o.Attempts = defaultAttempts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// transfer is the time that moving n bytes may take.
func (o Options) transfer(n int64) time.Duration {
	const most = 365 * 24 * time.Hour // a size that a capability claims may be absurd
	seconds := max(n, 0) / o.MinRate
	if seconds > int64(most/time.Second) {
		return most
	}
	return time.Duration(seconds) * time.Second
}

// Client talks to one gateway. It is safe for use by several goroutines.
type Client struct {
	o     Options
	log   *slog.Logger
	http  *http.Transport
	hangs hangs
}

// New returns a client of the gateway that listens on the UNIX socket of that
// path. It does not connect; the gateway may come later, or come and go.
func New(socket string, o Options) *Client {
	o = o.withDefaults()
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &Client{
		o:     o,
		log:   o.Logger,
		hangs: hangs{least: o.HangAfter},
		// A bare transport: http.Client would add redirects, which a gateway
		// has no business sending, and URLs in errors.
		http: &http.Transport{
			Proxy: nil,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
			DisableCompression:     true,
			MaxIdleConnsPerHost:    32,
			IdleConnTimeout:        45 * time.Second, // the gateway closes at 60
			MaxResponseHeaderBytes: 64 << 10,
			ReadBufferSize:         64 << 10,
			WriteBufferSize:        64 << 10,
		},
	}
}

// Close lets go of idle connections. Requests in flight go on; their contexts
// end them.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one HTTP request to the gateway.
type request struct {
	op     string // what we are doing, for errors
	method string
	url    *url.URL
	header http.Header
	body   io.ReadCloser
	size   int64 // of body
}

// uri addresses what a capability points at; without one, new objects.
func uri(at Cap, query url.Values) *url.URL {
	u := &url.URL{Scheme: "http", Host: "gateway", Path: "/uri", RawQuery: query.Encode()}
	if !at.IsZero() {
		u.Path = "/uri/" + at.Secret()
		// Colons too must be escaped, which net/url alone would not do.
		u.RawPath = "/uri/" + url.QueryEscape(at.Secret())
	}
	return u
}

// root addresses the gateway's front page.
func root(query url.Values) *url.URL {
	return &url.URL{Scheme: "http", Host: "gateway", Path: "/", RawQuery: query.Encode()}
}

// send makes one request and returns the answer, which is a success. Its body
// must be closed. watched is the watchdog's context, derived from ctx; the
// watchdog must be waiting, and is waiting when send returns.
func (c *Client) send(ctx, watched context.Context, r request) (*http.Response, error) {
	h := http.Header{}
	// With it, unexpected errors come as text; otherwise as pages.
	h.Set("Accept", "text/plain")
	h.Set("User-Agent", "")
	for k, v := range r.header {
		h[k] = v
	}
	req := &http.Request{
		Method:        r.method,
		URL:           r.url,
		Header:        h,
		Body:          r.body,
		ContentLength: r.size,
	}
	resp, err := c.http.RoundTrip(req.WithContext(watched))
	if err != nil {
		return nil, transportError(ctx, watched, r.op, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	// Whatever came of the text will do: the status says enough.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	return nil, answerError(r.op, resp.StatusCode, resp.Header.Get("Content-Type"), text)
}

// call makes one small request and returns the whole answer, of which it takes
// at most limit bytes. moved is how many bytes the gateway must move, besides
// body, before it answers.
func (c *Client) call(ctx context.Context, r request, body []byte, limit, moved int64) ([]byte, error) {
	moving := c.o.transfer(int64(len(body)) + moved)
	return c.callWithin(ctx, r, body, limit, c.o.IdleTimeout+moving, c.o.RequestTimeout+moving)
}

func (c *Client) callWithin(ctx context.Context, r request, body []byte, limit int64, idle, total time.Duration) ([]byte, error) {
	watched, dog := watch(ctx, idle, total)
	defer dog.stop()
	dog.wait()

	if len(body) > 0 {
		r.body, r.size = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := c.send(ctx, watched, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(&watchedReader{io.LimitReader(resp.Body, limit+1), dog})
	if err != nil {
		return nil, transportError(ctx, watched, r.op, err)
	}
	if int64(len(answer)) > limit {
		return nil, nonsense(r.op, fmt.Sprintf("more than %d bytes", limit))
	}
	return answer, nil
}

// watchedReader tells the watchdog of every byte that comes.
type watchedReader struct {
	r   io.Reader
	dog *watchdog
}

func (r *watchedReader) Read(p []byte) (int, error) {
	r.dog.wait()
	n, err := r.r.Read(p)
	r.dog.progress()
	return n, err
}

// nonsense is an answer with status 200 that is not what was asked for.
func nonsense(op, detail string) error {
	return &Error{Op: op, Status: http.StatusOK, Detail: detail}
}
