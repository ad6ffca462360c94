package tahoeclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Put stores size bytes, from where body stands, as an immutable file and
// returns its read capability: LIT for up to 55 bytes, otherwise CHK. It does
// not return before it is done with body. An error of body is passed on.
//
// The same bytes give the same capability as long as the gateway keeps its
// convergence secret and encoding; storing them again renews their leases.
func (c *Client) Put(ctx context.Context, body io.ReadSeeker, size int64) (Cap, error) {
	const op = "uploading"
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return Cap{}, fmt.Errorf("%s: %w", op, err)
	}
	if size < 0 {
		return Cap{}, fmt.Errorf("%s: a size of %d bytes", op, size)
	}
	var stored Cap
	err = c.retry(ctx, op, func() error {
		if _, err := body.Seek(start, io.SeekStart); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		stored, err = c.put(ctx, op, body, size)
		return err
	})
	if err != nil {
		return Cap{}, err
	}
	return stored, nil
}

func (c *Client) put(ctx context.Context, op string, src io.Reader, size int64) (Cap, error) {
	// No budget while bytes go out: a slow upload that moves is fine. Nothing
	// moves afterwards, while the gateway encodes and spreads the shares.
	watched, dog := watch(ctx, c.o.IdleTimeout, noBudget)
	defer dog.stop()
	answer := c.o.RequestTimeout + c.o.transfer(size)

	r := request{op: op, method: http.MethodPut, url: uri(Cap{}, nil)}
	body := &uploadBody{dog: dog, answer: answer, src: src, left: size}
	defer body.Close()
	if size > 0 {
		r.body, r.size = body, size
		dog.wait()
	} else {
		dog.allow(answer, answer)
	}

	resp, err := c.send(ctx, watched, r)
	if err != nil {
		if srcErr := body.sourceError(); srcErr != nil && ctx.Err() == nil {
			return Cap{}, fmt.Errorf("%s: reading what to store: %w", op, srcErr)
		}
		return Cap{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Cap{}, transportError(ctx, watched, op, err)
	}
	stored, err := ParseCap(strings.TrimSpace(string(text)))
	if err != nil {
		return Cap{}, nonsense(op, "no capability")
	}
	if got, ok := stored.Size(); !ok || !stored.CanRead() || got != size {
		return Cap{}, nonsense(op, fmt.Sprintf("the capability of something else, %v", stored))
	}
	return stored, nil
}

// Get reads n bytes of a file from off; to its end if n is negative. The
// reader gives exactly these bytes, or an error; ErrShortRead if they end
// early. It must be closed, and ends with ctx. What it gives is what the
// gateway says: check it.
//
// On a temporary error, wherever it strikes, it goes on from there, as long as
// the capability is of an immutable file.
func (c *Client) Get(ctx context.Context, file Cap, off, n int64) (io.ReadCloser, error) {
	const op = "downloading"
	size, known := file.Size()
	if known && n < 0 {
		n = max(size-off, 0)
	}
	if !known {
		var body io.ReadCloser
		err := c.retry(ctx, op, func() (err error) {
			body, err = c.open(ctx, op, file, off, n, 0)
			return err
		})
		return body, err
	}
	r := &resuming{patience: patience{c: c}, ctx: ctx, op: op, file: file, off: off, left: n, teaches: n >= segment}
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	c.hangs.began()
	r.ended = sync.OnceFunc(c.hangs.ended)
	if err := r.reopen(nil); err != nil {
		r.ended()
		return nil, err
	}
	return r, nil
}

// segment is Tahoe's unit of download, in bytes: less is no progress.
const segment = 1 << 20

// resuming is the content of an immutable file, asked for again from where an
// answer broke off.
type resuming struct {
	patience  // since the last whole segment came
	ctx       context.Context
	op        string
	file      Cap
	off, left int64 // of what is still to come
	body      io.ReadCloser
	since     int64         // bytes that came since the last failure
	longest   time.Duration // wait for a byte that came
	teaches   bool          // hangs learns from it
	ended     func()        // tells hangs, once
	err       error         // for good
}

func (r *resuming) Read(p []byte) (int, error) {
	for {
		if r.err != nil {
			return 0, r.err
		}
		began := time.Now()
		n, err := r.body.Read(p)
		r.off += int64(n)
		r.left -= int64(n)
		if r.since += int64(n); r.since >= segment {
			r.patience = patience{c: r.c}
		}
		if n > 0 {
			r.longest = max(r.longest, time.Since(began))
			if r.left == 0 && r.teaches {
				r.c.hangs.waited(r.longest)
			}
			return n, nil
		}
		if err == nil || r.left == 0 || !Temporary(err) {
			return 0, err
		}
		r.body.Close()
		r.err = r.reopen(err)
	}
}

// reopen asks for what is still to come, after a failure or at first.
func (r *resuming) reopen(why error) error {
	r.since = 0
	for {
		if why != nil {
			if err := r.again(r.ctx, r.op, why); err != nil {
				return err
			}
		}
		limit := time.Duration(0) // as long as the gateway may need
		if r.early < earlyTries {
			limit = r.c.hangs.limit()
		}
		began := time.Now()
		var body io.ReadCloser
		if body, why = r.c.open(r.ctx, r.op, r.file, r.off, r.left, limit); why == nil {
			r.body = body
			r.longest = max(r.longest, time.Since(began))
			return nil
		}
	}
}

func (r *resuming) Close() error {
	r.ended()
	return r.body.Close()
}

// ReadAll is Get into memory. A negative n needs a capability that states its
// size.
func (c *Client) ReadAll(ctx context.Context, file Cap, off, n int64) ([]byte, error) {
	if n < 0 {
		size, ok := file.Size()
		if !ok {
			return nil, fmt.Errorf("downloading: %w: %v states no size", ErrBadCap, file)
		}
		n = max(size-off, 0)
	}
	body, err := c.Get(ctx, file, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	// Neither n nor a size that a capability claims is to be believed before
	// the bytes are there.
	data := bytes.NewBuffer(make([]byte, 0, min(n, 32<<20)+bytes.MinRead))
	if _, err := data.ReadFrom(body); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// open is Get, once. A limit other than 0 ends waits that could still succeed.
func (c *Client) open(ctx context.Context, op string, file Cap, off, n int64, limit time.Duration) (io.ReadCloser, error) {
	if !file.CanRead() || file.IsDirectory() {
		return nil, fmt.Errorf("%s: %w: %v is not a file to read", op, ErrBadCap, file)
	}
	size, known := file.Size()
	if off < 0 || (known && (off > size || n > size-off)) {
		return nil, outside(op, off, n)
	}
	if known && n < 0 {
		n = size - off
	}
	if data, ok := file.literal(); ok {
		return io.NopCloser(bytes.NewReader(data[off : off+n])), nil
	}
	if n == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if n > math.MaxInt64-off {
		return nil, outside(op, off, n)
	}

	r := request{op: op, method: http.MethodGet, url: uri(file, nil), header: http.Header{}}
	switch {
	case n > 0:
		r.header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	case off > 0:
		r.header.Set("Range", fmt.Sprintf("bytes=%d-", off))
	}

	watched, dog := watch(ctx, c.o.IdleTimeout, c.o.RequestTimeout+c.o.transfer(n))
	if limit > 0 && limit < c.o.IdleTimeout {
		dog.idle, dog.early = limit, true
	}
	dog.wait()
	resp, err := c.send(ctx, watched, r)
	if err != nil {
		dog.stop()
		if errors.Is(err, ErrGone) {
			err = c.confirmGone(ctx, op, file, err)
		}
		return nil, err
	}
	dog.progress()
	if n, err = promised(op, resp, off, n); err != nil {
		dog.stop()
		resp.Body.Close()
		return nil, err
	}
	dog.grow(c.o.transfer(n))
	return newDownload(op, ctx, watched, dog, resp.Body, n), nil
}

func outside(op string, off, n int64) error {
	return &Error{Op: op, Status: http.StatusRequestedRangeNotSatisfiable,
		Detail: fmt.Sprintf("%d bytes from %d on are not all in the file", n, off)}
}

// promised returns how many bytes the answer promises, which must be those
// asked for. A gateway ignores ranges that it cannot read, and cuts those that
// end behind the file.
func promised(op string, resp *http.Response, off, n int64) (int64, error) {
	length := resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		var first, last, size int64
		_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size)
		if err != nil || first != off || last-first+1 != length {
			return 0, nonsense(op, "another range than asked for")
		}
	} else if off > 0 {
		return 0, nonsense(op, "the whole file instead of a part")
	}
	switch {
	case length < 0:
		return 0, nonsense(op, "a file without a length")
	case n < 0, n == length:
		return length, nil
	case length < n && resp.StatusCode == http.StatusPartialContent:
		return 0, outside(op, off, n)
	}
	return 0, nonsense(op, fmt.Sprintf("%d bytes instead of %d", length, n))
}

// confirmGone returns gone if the gateway was connected to enough servers to
// know. One without servers says that nobody has a share, too.
func (c *Client) confirmGone(ctx context.Context, op string, file Cap, gone error) error {
	grid, err := c.Grid(ctx)
	if ctxErr := contextError(ctx); ctxErr != nil {
		return ctxErr
	}
	needed, _, _ := file.Encoding()
	if err == nil && grid.Usable() >= max(needed, 1) {
		return gone
	}
	return &Error{Op: op, Status: http.StatusGone, kind: ErrNotEnoughShares,
		Detail: fmt.Sprintf("%d of %d servers connected", grid.Usable(), len(grid.Servers))}
}
