package tahoeclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const maxRetryWait = 30 * time.Second

// retry calls try, at most Options.Attempts times, until it succeeds or fails
// for good. try must be safe to repeat, whatever became of the last time.
func (c *Client) retry(ctx context.Context, op string, try func() error) error {
	p := patience{c: c}
	for {
		if err := contextError(ctx); err != nil {
			return err
		}
		err := try()
		if err == nil {
			return nil
		}
		if err := p.again(ctx, op, err); err != nil {
			return err
		}
	}
}

// patience decides whether what failed is tried again.
type patience struct {
	c      *Client
	failed int  // attempts so far
	early  int  // waits that were ended early, see hangs
	silent bool // the gateway kept us waiting in vain once
	whole  int  // failures in a row for which no absent server is to blame
}

// certain is how many failures in a row, with all servers there, prove that
// waiting does not help: a server that came back a moment ago may have been
// away for the first.
const certain = 3

// again returns nil after the wait before the next attempt, or the error to
// give up with.
func (p *patience) again(ctx context.Context, op string, err error) error {
	if silent := new(silentError); errors.As(err, &silent) && silent.early {
		p.early++
		p.c.log.Warn("asking anew", "op", op, "error", err)
		return contextError(ctx)
	}
	if p.exhausted(err) {
		return p.c.why(ctx, err)
	}
	missing := errors.Is(err, ErrNotEnoughShares) || errors.Is(err, ErrGone)
	if (missing || errors.Is(err, ErrUnhappy)) && p.c.allThere(ctx) {
		p.whole++
	} else {
		p.whole = 0
	}
	switch {
	case p.whole == certain && missing:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case p.whole == certain:
		return err
	case p.whole == 0 && !Temporary(err):
		return err
	}
	return p.c.pause(ctx, op, p.failed, err)
}

// Blame is err with its cause before it, if Options.Cause knows one.
func (c *Client) Blame(ctx context.Context, err error) error {
	if c.o.Cause == nil || err == nil {
		return err
	}
	if cause := c.o.Cause(ctx); cause != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// why finds out who is to blame for an error after which nothing is tried any
// more.
func (c *Client) why(ctx context.Context, err error) error {
	if blamed := c.Blame(ctx, err); blamed != err {
		return blamed
	}
	var silent *silentError
	if errors.As(err, &silent) {
		if _, down := c.Grid(ctx); down == nil {
			return fmt.Errorf("%w: %w", ErrStuck, err)
		}
	}
	return err
}

// exhausted counts a failure and reports whether it was the last that may be.
func (p *patience) exhausted(err error) bool {
	p.failed++
	var silent *silentError
	if errors.As(err, &silent) {
		if p.silent {
			return true
		}
		p.silent = true
	}
	return p.failed >= p.c.o.Attempts
}

// pause waits before the attempt after the given one.
func (c *Client) pause(ctx context.Context, op string, attempt int, why error) error {
	wait := backoff(c.o.RetryWait, attempt)
	c.log.Warn("trying again", "op", op, "attempt", attempt, "wait", wait, "error", why)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// backoff doubles from base with each attempt. Half of it is random, so that
// parallel requests that failed together do not come back together.
func backoff(base time.Duration, attempt int) time.Duration {
	wait := maxRetryWait
	if attempt < 16 {
		wait = min(base<<(attempt-1), maxRetryWait)
	}
	return wait/2 + rand.N(wait/2+1)
}
