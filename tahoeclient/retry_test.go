package tahoeclient

import (
	"context"
	"errors"
	"testing"
	"time"
)

func retrier(attempts int) *Client {
	return New("nowhere", Options{Attempts: attempts, RetryWait: time.Microsecond})
}

func TestRetryStopsWhenItShould(t *testing.T) {
	permanent := errors.New("permanent")
	tests := []struct {
		name  string
		errs  []error // of each try; nil from then on
		tries int
		want  error
	}{
		{"success", nil, 1, nil},
		{"success at last", []error{ErrNotAnswering, ErrUnhappy, ErrShortRead}, 4, nil},
		{"never", []error{ErrNotAnswering, ErrNotAnswering, ErrNotAnswering, ErrNotAnswering, ErrNotAnswering}, 4, ErrNotAnswering},
		{"for good", []error{ErrNotAnswering, permanent}, 2, permanent},
		{"gone", []error{ErrGone}, 1, ErrGone},
		{"stopped", []error{context.Canceled}, 1, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tries := 0
			err := retrier(4).retry(context.Background(), "testing", func() error {
				tries++
				if tries <= len(tt.errs) {
					return tt.errs[tries-1]
				}
				return nil
			})
			if !errors.Is(err, tt.want) || tries != tt.tries {
				t.Errorf("%d tries, %v", tries, err)
			}
		})
	}
}

func TestRetryWaitsOnTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := New("nowhere", Options{RetryWait: time.Hour})
	tries := 0
	err := c.retry(ctx, "testing", func() error {
		tries++
		cancel()
		return ErrNotAnswering
	})
	if !errors.Is(err, context.Canceled) || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	for attempt := 1; attempt < 100; attempt++ {
		most := maxRetryWait
		if attempt < 6 {
			most = time.Second << (attempt - 1)
		}
		for range 50 {
			if wait := backoff(time.Second, attempt); wait < most/2 || wait > most {
				t.Fatalf("attempt %d: %v, at most %v", attempt, wait, most)
			}
		}
	}
	if wait := backoff(time.Hour, 1); wait > maxRetryWait {
		t.Errorf("from an hour: %v", wait)
	}
}

func TestTransferIsBounded(t *testing.T) {
	o := Options{}.withDefaults()
	if got := o.transfer(1 << 20); got != 256*time.Second {
		t.Errorf("1 MiB takes %v", got)
	}
	for _, n := range []int64{-1, 0, 1} {
		if got := o.transfer(n); got != 0 {
			t.Errorf("%d bytes take %v", n, got)
		}
	}
	o.MinRate = 1
	if got := o.transfer(1<<63 - 1); got <= 0 || got > 10*365*24*time.Hour {
		t.Errorf("everything takes %v", got)
	}
}

func TestOptionsAreOrderedAsTheGatewayNeeds(t *testing.T) {
	o := Options{}.withDefaults()
	// Its timers: keepalive 60, disconnect 300; it gives up after 2D+2K.
	const gives = 2*300*time.Second + 2*60*time.Second
	if o.IdleTimeout <= gives || o.RequestTimeout <= o.IdleTimeout {
		t.Errorf("idle %v, request %v", o.IdleTimeout, o.RequestTimeout)
	}
}

func TestAbsurdSizesAreBounded(t *testing.T) {
	c, err := ParseCap("URI:CHK:" + secretKey + ":" + secretHash + ":1:256:9223372036854775807")
	if err != nil {
		t.Fatal(err)
	}
	if n := sharesSize(c); n <= 0 {
		t.Errorf("its shares have %d bytes", n)
	}
	// The gateway promises what the capability claims; memory is taken as bytes come.
	if _, err := retrier(1).ReadAll(context.Background(), c, 0, -1); !errors.Is(err, ErrNotAnswering) {
		t.Error(err)
	}
}
