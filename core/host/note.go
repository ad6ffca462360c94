package host

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/process"
)

// note is what the running process says of itself: harmless, in memory, and
// renewed every few seconds, so that one that hangs is found out.
type note struct {
	Keeper process.Identity `json:"keeper"`
	At     time.Duration    `json:"at"` // since the boot

	Phase     Phase  `json:"phase"`
	Percent   int    `json:"percent"` // of tor's way into the network
	Published bool   `json:"published"`
	Applied   int    `json:"applied"` // revision of the state
	Problem   string `json:"problem"` // why it is not further; empty if nothing is wrong
	Attempts  int    `json:"attempts"`
}

// Phase is how far a running service is.
type Phase string

// The phases, in order.
const (
	Connecting Phase = "connecting" // tor is on its way into the network
	Starting   Phase = "starting"   // the node is
	Announcing Phase = "announcing" // all runs; the onion services cannot be found yet
	Published  Phase = "published"
	Pausing    Phase = "pausing" // something ended; it is started again in a while
)

const (
	lookEvery = 500 * time.Millisecond
	noteEvery = 5 * time.Second
	stale     = 30 * time.Second // a note that old is no news of a living process
)

// sinceBoot is a clock that all processes share and nobody sets.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// writeNote renews the note.
func (h *Host) writeNote(n note) error {
	n.At = sinceBoot()
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return write(h.note, data)
}

// readNote is what the running process said last; false if there is none.
func (h *Host) readNote() (n note, running bool) {
	data, err := read(h.note)
	if err != nil || json.Unmarshal(data, &n) != nil || !n.Keeper.Running() {
		return note{}, false
	}
	return n, true
}

// fresh reports whether the note is news.
func (n note) fresh() bool { return sinceBoot()-n.At < stale }

// await returns when the running process says so, ErrNotRunning when there is
// none, or the cause of ctx's end.
func (h *Host) await(ctx context.Context, so func(note) bool) error {
	tick := time.NewTicker(lookEvery / 5)
	defer tick.Stop()
	for {
		n, running := h.readNote()
		if running && so(n) {
			return nil
		}
		if !running && !h.Running() {
			return ErrNotRunning
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (h *Host) removeNote() { os.Remove(h.note) }
