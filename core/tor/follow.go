package tor

import (
	"strings"
	"sync"
)

// follower keeps a Status up to date with the events of a session, until that ends.
type follower struct {
	done chan struct{}

	announced announcements

	mu      sync.Mutex
	status  Status
	heard   bool          // an event told of the bootstrap
	changed chan struct{} // closed, and made anew, when status changes
}

// follow reads events from now on: nothing else may read from the session.
func follow(events *session) *follower {
	f := &follower{done: make(chan struct{}), changed: make(chan struct{}), status: Status{Own: true}}
	go func() {
		defer close(f.done)
		for {
			answer, err := events.control.ReadResponse()
			if err != nil {
				return
			}
			f.hear(answer.Reply)
		}
	}()
	return f
}

func (f *follower) hear(line string) {
	f.announced.hear(line)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.status.applyEvent(line) {
		f.heard = true
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// begin takes in the answer to GETINFO status/bootstrap-phase, unless an
// event was faster and is newer.
func (f *follower) begin(lines []string) {
	f.mu.Lock()
	heard := f.heard
	f.mu.Unlock()
	for _, line := range lines {
		if phase, ok := strings.CutPrefix(line, "status/bootstrap-phase="); ok && !heard {
			f.hear("STATUS_CLIENT " + phase)
		}
	}
}

// now is the status of this moment.
func (f *follower) now() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// watch is now, with a channel that is closed when it is no longer true.
func (f *follower) watch() (Status, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, f.changed
}
