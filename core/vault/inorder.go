package vault

import (
	"context"
	"io"
	"sync"
)

// inOrder reads what several requests bring, in their order. Not for
// concurrent use.
type inOrder struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
	parts  chan *part
	rest   []byte
	cut    error // why parts ended early; set before it is closed
}

// part is what one request brings; data and err are set once done is closed.
type part struct {
	done chan struct{}
	data []byte
	err  error
}

// readInOrder calls get for 0 to n-1: for so many ahead, and for the one that
// is being read. The caller closes what it returns.
func readInOrder(ctx context.Context, n, ahead int, get func(ctx context.Context, i int) ([]byte, error)) *inOrder {
	ctx, cancel := context.WithCancel(ctx)
	r := &inOrder{cancel: cancel, parts: make(chan *part, ahead)}
	r.wait.Add(1)
	go func() {
		defer r.wait.Done()
		defer close(r.parts)
		for i := range n {
			p := &part{done: make(chan struct{})}
			select {
			case r.parts <- p:
			case <-ctx.Done():
				r.cut = context.Cause(ctx) // what was cut is not short
				return
			}
			r.wait.Add(1)
			go func() {
				defer r.wait.Done()
				defer close(p.done)
				p.data, p.err = get(ctx, i)
			}()
		}
	}()
	return r
}

func (r *inOrder) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		next, ok := <-r.parts
		if !ok && r.cut != nil {
			return 0, r.cut
		}
		if !ok {
			return 0, io.EOF
		}
		<-next.done
		if next.err != nil {
			return 0, next.err
		}
		r.rest = next.data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close stops the requests and waits for those under way.
func (r *inOrder) Close() error {
	r.cancel()
	r.wait.Wait()
	return nil
}
