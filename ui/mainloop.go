package ui

import (
	"context"
	"runtime"
	"time"

	"github.com/gotk3/gotk3/glib"
)

// This file alone starts goroutines and speaks to the main loop from outside.
// Everything else in this package runs on the loop.

func init() {
	// By default gotk3 gives objects back in the collector's own thread, which
	// ends in a crash sooner or later: GTK belongs to one thread.
	glib.FinalizerStrategy = func(f glib.Finalizer) { glib.IdleAdd(func() { f() }) }
}

// run works off the loop and calls done on it, unless ctx is over by then:
// nobody is left to see the result, so work must leave nothing open in it.
func run[T any](ctx context.Context, work func(context.Context) (T, error), done func(T, error)) {
	go func() {
		value, err := work(ctx)
		glib.IdleAdd(func() {
			if ctx.Err() == nil {
				done(value, err)
			}
		})
	}()
}

// always is run for what has to be taken care of even when ctx is over.
func always(work func() error, done func(error)) {
	go func() {
		err := work()
		glib.IdleAdd(func() { done(err) })
	}()
}

// every calls f on the loop until ctx is over.
func every(ctx context.Context, interval time.Duration, f func()) {
	glib.TimeoutAdd(uint(interval.Milliseconds()), func() bool {
		if ctx.Err() != nil {
			return false
		}
		f()
		return ctx.Err() == nil
	})
}

// later calls f once, unless ctx is over by then.
func later(ctx context.Context, wait time.Duration, f func()) {
	glib.TimeoutAdd(uint(wait.Milliseconds()), func() bool {
		if ctx.Err() == nil {
			f()
		}
		return false
	})
}

// soon calls f when the loop has done what is at hand, such as drawing the
// window; not at all if ctx is over by then.
func soon(ctx context.Context, f func()) {
	glib.IdleAddPriority(glib.PRIORITY_LOW, func() {
		if ctx.Err() == nil {
			f()
		}
	})
}

// release gives back what GTK holds for widgets that are gone. Go's collector
// sees none of it, only some small values that hold it, and takes its time.
func release(ctx context.Context) {
	soon(ctx, func() {
		go runtime.GC() // what it finds is given back on the loop
	})
}

// when calls f on the loop once ctx is over.
func when(ctx context.Context, f func()) {
	context.AfterFunc(ctx, func() { glib.IdleAdd(f) })
}

// within returns when f has, and after limit in any case: for when the loop is
// over.
func within(limit time.Duration, f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
	}()
	select {
	case <-over:
	case <-time.After(limit):
	}
}
