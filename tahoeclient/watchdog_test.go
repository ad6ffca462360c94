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
