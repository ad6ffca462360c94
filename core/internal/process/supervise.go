package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Phase is where a supervised child is in its life.
type Phase int

// The phases, in the order they usually come.
const (
	Starting Phase = iota
	Ready
	Restarting
	Failed
	Stopped
)

func (p Phase) String() string {
	return [...]string{"starting", "ready", "restarting", "failed", "stopped"}[p]
}

// State is a phase and, for Restarting and Failed, the reason.
type State struct {
	Phase  Phase
	Reason error
}

// Spec says how to keep a child running.
type Spec struct {
	Name string

	// Prepare makes everything fresh for one run and says how to run it.
	Prepare func() (Config, error)

	// Ready returns when that run answers, or with an error when ctx ends.
	// ctx also ends when the child does.
	Ready func(ctx context.Context) error

	// Clean removes what Prepare made. It is called after each run, also a failed one.
	Clean func()

	// Backoff is the pause before the first restart; it doubles with every
	// further one. Zero means half a second.
	Backoff time.Duration

	// Limit is how many ends within a minute are too many. Zero means 5.
	Limit int

	// StartWait bounds one restart, from start to ready. Zero means 2 minutes.
	StartWait time.Duration

	Logger *slog.Logger // nil means silence
}

// ErrGaveUp is what every *GaveUpError is.
var ErrGaveUp = errors.New("it ended too often")

// GaveUpError is a child that died too often to start it once more.
type GaveUpError struct {
	Name string
	Ends int   // how often it ended within a minute
	Last error // how it ended the last time
}

func (e *GaveUpError) Error() string {
	return fmt.Sprintf("%s ended %d times within a minute and was not started again: %v", e.Name, e.Ends, e.Last)
}

// Is makes it an ErrGaveUp.
func (e *GaveUpError) Is(target error) bool { return target == ErrGaveUp }

func (e *GaveUpError) Unwrap() error { return e.Last }

// Supervisor keeps one child running until Stop, or until it dies too often.
type Supervisor struct {
	spec   Spec
	cancel context.CancelFunc
	done   chan struct{}
	gaveUp chan struct{}

	mu    sync.Mutex
	state State
}

// Supervise starts the child and returns when it is ready. ctx bounds only
// this first start; an error then is final and leaves nothing behind.
func Supervise(ctx context.Context, spec Spec) (*Supervisor, error) {
	spec = spec.withDefaults()
	child, err := spec.run(ctx)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.Background())
	s := &Supervisor{
		spec: spec, cancel: cancel, state: State{Phase: Ready},
		done: make(chan struct{}), gaveUp: make(chan struct{}),
	}
	go s.keep(life, child)
	return s, nil
}

func (s Spec) withDefaults() Spec {
	if s.Backoff == 0 {
		s.Backoff = 500 * time.Millisecond
	}
	if s.Limit == 0 {
		s.Limit = 5
	}
	if s.StartWait == 0 {
		s.StartWait = 2 * time.Minute
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return s
}

// run does one start: prepare, start, wait until ready. On failure nothing is left.
func (s Spec) run(ctx context.Context) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg, err := s.Prepare()
	if err != nil {
		s.Clean()
		return nil, err
	}
	child, err := Start(cfg)
	if err != nil {
		s.Clean()
		return nil, err
	}
	err = waitReady(ctx, child, s.Ready)
	if err != nil {
		child.Stop()
		s.Clean()
		return nil, err
	}
	return child, nil
}

// waitReady prefers the child's own end as the reason: it has the last words.
func waitReady(ctx context.Context, child *Process, ready func(context.Context) error) error {
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	unhook := make(chan struct{})
	defer close(unhook)
	go func() {
		select {
		case <-child.Done():
			cancel()
		case <-unhook:
		}
	}()
	err := ready(alive)
	select {
	case <-child.Done():
		return child.Err()
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// keep owns the state until the end.
func (s *Supervisor) keep(ctx context.Context, child *Process) {
	defer close(s.done)
	var ends []time.Time
	for {
		var reason error
		if child != nil {
			select {
			case <-ctx.Done():
			case <-child.Done():
				reason = child.Err()
			}
			child.Stop()
			s.spec.Clean()
		} else {
			reason = s.State().Reason
		}
		if ctx.Err() != nil {
			s.set(State{Phase: Stopped})
			return
		}
		ends = append(recent(ends), time.Now())
		if len(ends) >= s.spec.Limit {
			s.set(State{Failed, &GaveUpError{s.spec.Name, len(ends), reason}})
			close(s.gaveUp)
			s.spec.Logger.Error("gave up restarting", "child", s.spec.Name, "ends", len(ends))
			<-ctx.Done()
			s.set(State{Phase: Stopped})
			return
		}
		s.set(State{Restarting, reason})
		pause := s.spec.Backoff << (len(ends) - 1)
		s.spec.Logger.Warn("child ended, starting it again", "child", s.spec.Name, "pause", pause)
		child = s.restart(ctx, pause)
	}
}

// restart returns nil, with the reason in the state, when it did not work.
func (s *Supervisor) restart(ctx context.Context, pause time.Duration) *Process {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-timer.C:
	}
	start, cancel := context.WithTimeoutCause(ctx, s.spec.StartWait, errors.New(s.spec.Name+" does not answer"))
	defer cancel()
	child, err := s.spec.run(start)
	if err != nil {
		s.set(State{Restarting, err})
		return nil
	}
	s.set(State{Phase: Ready})
	return child
}

func recent(ends []time.Time) []time.Time {
	for len(ends) > 0 && time.Since(ends[0]) > time.Minute {
		ends = ends[1:]
	}
	return ends
}

func (s *Supervisor) set(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// State is where the child is now.
func (s *Supervisor) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// GaveUp is closed when the child is no longer restarted; State has the reason.
func (s *Supervisor) GaveUp() <-chan struct{} { return s.gaveUp }

// Stop ends the child and returns when it is gone and cleaned up after. It may be called again.
func (s *Supervisor) Stop() {
	s.cancel()
	<-s.done
}
