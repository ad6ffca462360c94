package tahoeclient

import (
	"context"
	"errors"
	"testing"
	"time"
)

func barked(ctx context.Context) bool {
	var silent *silentError
	return errors.As(context.Cause(ctx), &silent)
}

func TestWatchdogBarksAfterTooLongAWait(t *testing.T) {
	ctx, dog := watch(context.Background(), time.Millisecond, noBudget)
	defer dog.stop()
	dog.wait()
	<-ctx.Done()
	if !barked(ctx) {
		t.Error(context.Cause(ctx))
	}
}

func TestWatchdogSleepsWhileNobodyWaits(t *testing.T) {
	ctx, dog := watch(context.Background(), 20*time.Millisecond, noBudget)
	defer dog.stop()
	dog.wait()
	dog.progress()
	other, dog2 := watch(context.Background(), 40*time.Millisecond, noBudget)
	defer dog2.stop()
	dog2.wait()
	<-other.Done() // by then the first would have barked
	if ctx.Err() != nil {
		t.Error("it barked while nobody waited")
	}
}

func TestWatchdogBudgetIsForAllWaits(t *testing.T) {
	ctx, dog := watch(context.Background(), time.Hour, 20*time.Millisecond)
	defer dog.stop()
	// Progress again and again does not help for ever.
	for ctx.Err() == nil {
		dog.wait()
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
		dog.progress()
	}
	if !barked(ctx) {
		t.Error(context.Cause(ctx))
	}
}

func TestWatchdogLimits(t *testing.T) {
	ctx, dog := watch(context.Background(), time.Hour, noBudget)
	dog.wait()
	dog.waitAtMost(time.Millisecond)
	<-ctx.Done()
	dog.stop()

	ctx, dog = watch(context.Background(), time.Hour, noBudget)
	dog.wait()
	dog.allow(time.Millisecond, time.Hour)
	<-ctx.Done()
	dog.stop()

	ctx, dog = watch(context.Background(), time.Hour, 0)
	dog.grow(time.Millisecond)
	dog.wait()
	<-ctx.Done()
	dog.stop()
	if !barked(ctx) {
		t.Error(context.Cause(ctx))
	}
}

func TestStoppedWatchdogNeverBarks(t *testing.T) {
	ctx, dog := watch(context.Background(), time.Hour, noBudget)
	dog.wait()
	dog.stop()
	dog.stop()
	if !errors.Is(ctx.Err(), context.Canceled) || barked(ctx) {
		t.Error(context.Cause(ctx))
	}
}

// On a slow line every download waits, the longer the more there are: nothing is
// fetched twice because of that.
func TestLimitGrowsWithWhatDownloadsWait(t *testing.T) {
	h := &hangs{least: 40 * time.Second}
	want := func(when string, low, high time.Duration) {
		t.Helper()
		if got := h.limit(); got < low || got > high {
			t.Errorf("%s: %v", when, got)
		}
	}
	want("at first", 5*time.Minute, 6*time.Minute)
	h.began()
	h.waited(time.Second)
	want("on a fast line", 40*time.Second, 40*time.Second)

	h = &hangs{least: 40 * time.Second}
	for range 3 {
		h.began()
	}
	h.waited(26 * time.Second) // three segments over six lines of 20 kB/s
	for range 15 {
		h.began()
	}
	want("when 18 share lines on which they take 150 s", 10*time.Minute, 20*time.Minute)
	for range 17 {
		h.ended()
	}
	want("for the last one", 40*time.Second, time.Minute)
	if h := (&hangs{usual: time.Minute}); h.limit() != 0 {
		t.Error("on this machine")
	}
}
