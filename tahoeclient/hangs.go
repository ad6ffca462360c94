package tahoeclient

import (
	"sync"
	"time"
)

// A download that waits far longer than others do waits for a server that hangs.
// On a slow line all wait long, so the limit is a multiple of what they wait.
const (
	earlyTries = 2 // after them, waits are as long as the gateway may need
	farLonger  = 6 // times the usual
	atFirst    = 3 // times the least, while nothing is known
)

// hangs says when a wait of a download is one for a server that hangs. Safe for
// concurrent use.
type hangs struct {
	least time.Duration // 0: never

	mu    sync.Mutex
	usual time.Duration // longest wait of a download; 0 not known
}

// limit is how long the next wait may be; 0 is as long as it takes.
func (h *hangs) limit() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.least == 0:
		return 0
	case h.usual == 0:
		return atFirst * h.least
	}
	return max(h.least, farLonger*h.usual)
}

// waited learns from the longest wait of a download that came to its end.
func (h *hangs) waited(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.usual == 0 {
		h.usual = d
	}
	h.usual += (d - h.usual) / 8
}

// gaveUp learns from a wait that was ended early: where many are, nothing hangs
// and the lines are slow.
func (h *hangs) gaveUp(limit time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.usual != 0 {
		h.usual += (limit - h.usual) / 8
	}
}
