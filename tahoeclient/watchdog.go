package tahoeclient

import (
	"context"
	"math"
	"sync"
	"time"
)

const noBudget = time.Duration(math.MaxInt64)

// watchdog ends one request when the gateway keeps us waiting for too long:
// once without a byte moving, or in total. Time in which we do not wait for
// the gateway, such as a slow reader's, does not count.
type watchdog struct {
	cancel context.CancelCauseFunc
	early  bool // idle is less than the gateway may need

	mu      sync.Mutex
	timer   *time.Timer
	idle    time.Duration // for one wait
	budget  time.Duration // left for all waits
	limit   time.Duration // of the present wait
	started time.Time     // of the present wait; zero while not waiting
}

// watch returns a context that ends with ctx, with the watchdog or with its
// stop. The watchdog sleeps until wait is called.
func watch(ctx context.Context, idle, budget time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watchdog{cancel: cancel, idle: idle, budget: budget}
}

// wait begins a wait for the gateway, or begins it anew after progress.
func (w *watchdog) wait() { w.waitAtMost(noBudget) }

// waitAtMost is wait with a lower limit for this one wait.
func (w *watchdog) waitAtMost(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	w.started = time.Now()
	w.limit = max(min(limit, w.idle, w.budget), 0)
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limit, w.bark)
		return
	}
	w.timer.Reset(w.limit)
}

// progress ends a wait.
func (w *watchdog) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
}

// allow sets new limits and begins a wait.
func (w *watchdog) allow(idle, budget time.Duration) {
	w.mu.Lock()
	w.idle, w.budget = idle, budget
	w.started = time.Time{}
	w.mu.Unlock()
	w.wait()
}

// grow adds to the budget.
func (w *watchdog) grow(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.budget += d
}

// stop ends the request; what has not come by then will not come.
func (w *watchdog) stop() {
	w.progress()
	w.cancel(nil)
}

func (w *watchdog) settle() {
	if w.started.IsZero() {
		return
	}
	w.timer.Stop()
	if w.budget != noBudget {
		w.budget -= time.Since(w.started)
	}
	w.started = time.Time{}
}

func (w *watchdog) bark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The wait may have ended, and another begun, while the timer fired.
	if w.started.IsZero() || time.Since(w.started) < w.limit {
		return
	}
	w.cancel(&silentError{w.limit.Round(time.Millisecond).String(), w.early && w.limit == w.idle})
}
