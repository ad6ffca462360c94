package tahoeclient

import (
	"context"
	"math/rand/v2"
	"time"
)

const maxRetryWait = 30 * time.Second

// retry calls try, at most Options.Attempts times, until it succeeds or fails
// for good. try must be safe to repeat, whatever became of the last time.
func (c *Client) retry(ctx context.Context, op string, try func() error) error {
	for attempt := 1; ; attempt++ {
		if err := contextError(ctx); err != nil {
			return err
		}
		err := try()
		if err == nil || attempt >= c.o.Attempts || !Temporary(err) {
			return err
		}
		if err := c.pause(ctx, op, attempt, err); err != nil {
			return err
		}
	}
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
