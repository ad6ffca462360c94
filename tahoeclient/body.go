package tahoeclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// uploadBody hands size bytes of src to the transport and keeps the watchdog
// informed. The transport may read it in another goroutine for a while after
// the request failed; once Close returned, src is left alone.
type uploadBody struct {
	dog    *watchdog
	answer time.Duration // how long the answer may take once all is sent

	mu     sync.Mutex
	src    io.Reader
	left   int64
	closed bool
	err    error // of src
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, fs.ErrClosed
	case b.err != nil:
		return 0, b.err
	case b.left == 0:
		return 0, io.EOF
	}
	b.dog.progress() // the gateway took what came before; now src keeps us waiting
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.left == 0 {
		b.dog.allow(b.answer, b.answer)
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	b.dog.wait()
	return n, err
}

func (b *uploadBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// sourceError is what went wrong with src, if anything did.
func (b *uploadBody) sourceError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// tornMark is what the gateway appends when a download fails midway. It then
// leaves the connection open, short of the promised length.
var tornMark = []byte("problem during download\n")

// tornGrace is how long we wait for more after tornMark: it may be a part of
// the file that happens to end a segment, so it proves nothing at once.
const tornGrace = 3 * time.Second

// download is the body of one answer. It gives exactly the promised bytes, or
// an error; what may be tornMark is held back until more has come.
type download struct {
	op    string
	ctx   context.Context // the caller's
	watch context.Context // the watchdog's
	dog   *watchdog
	body  io.ReadCloser

	left   int64  // bytes still to come
	buf    []byte // as allocated
	held   []byte // part of buf: come, and not yet given
	err    error
	closed atomic.Bool
}

const downloadBuffer = 64 << 10

func newDownload(op string, ctx, watched context.Context, dog *watchdog, body io.ReadCloser, n int64) *download {
	size := min(n, downloadBuffer)
	return &download{op: op, ctx: ctx, watch: watched, dog: dog, body: body, left: n, buf: make([]byte, size)}
}

func (d *download) Read(p []byte) (int, error) {
	if d.closed.Load() {
		return 0, fs.ErrClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		ready := len(d.held)
		if d.left > 0 {
			ready -= len(tornMark)
		}
		if ready > 0 {
			n := copy(p, d.held[:ready])
			d.held = d.held[n:]
			return n, nil
		}
		if d.err != nil {
			return 0, d.err
		}
		if d.left == 0 {
			return 0, io.EOF
		}
		d.fill()
	}
}

// fill gets more bytes behind the held ones, which are few.
func (d *download) fill() {
	kept := copy(d.buf, d.held)
	d.held = d.buf[:kept]
	free := d.buf[kept:]

	torn := bytes.HasSuffix(d.held, tornMark)
	if torn {
		d.dog.waitAtMost(tornGrace)
	} else {
		d.dog.wait()
	}
	n, err := d.body.Read(free[:min(int64(len(free)), d.left)])
	d.dog.progress()

	d.held = d.buf[:kept+n]
	d.left -= int64(n)
	if err == nil || d.left == 0 {
		return
	}
	// What is held may be tornMark and not data.
	d.err = d.shortError(torn, err, d.left+int64(len(d.held)))
	d.held = nil
	d.stop()
}

// shortError says why the body ended before its promised length.
func (d *download) shortError(torn bool, err error, missing int64) error {
	if err := contextError(d.ctx); err != nil {
		return err
	}
	short := fmt.Errorf("%s: %w, %d bytes short", d.op, ErrShortRead, missing)
	var silent *silentError
	switch {
	case torn:
		return fmt.Errorf("%w: the gateway gave up", short)
	case errors.As(context.Cause(d.watch), &silent):
		return fmt.Errorf("%w: %w: %w", short, ErrNotAnswering, silent)
	}
	return fmt.Errorf("%w: %w", short, harmless(err))
}

// Close ends the download and frees the connection at once. It may be called
// at any time, more than once, and while Read is waiting.
func (d *download) Close() error {
	d.closed.Store(true)
	d.stop()
	return nil
}

func (d *download) stop() {
	d.dog.stop()
	d.body.Close()
}
