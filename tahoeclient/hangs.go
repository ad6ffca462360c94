package tahoeclient

import (
	"sync"
	"time"
)

// A download that waits far longer than others do waits for a server that hangs.
// On a slow line all wait long, and the longer the more of them share it: the
// limit is a multiple of what they wait, by how many there are.
const (
	earlyTries = 2 // after them, waits are as long as the gateway may need
	farLonger  = 6 // times the usual
	atFirst    = 8 // times the least, while nothing is known
)

// hangs says when a wait of a download is one for a server that hangs. Safe for
// concurrent use.
type hangs struct {
	least time.Duration // 0: never

	mu    sync.Mutex
	open  int           // downloads
	usual time.Duration // longest wait of a download, by how many were open; 0 not known
}

func (h *hangs) began() { h.add(1) }
func (h *hangs) ended() { h.add(-1) }

func (h *hangs) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open += n
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
	return max(h.least, farLonger*h.usual*time.Duration(max(h.open, 1)))
}

// waited learns from the longest wait of a download that came to its end, and had
// a segment at least: less says nothing of what a segment takes.
func (h *hangs) waited(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d /= time.Duration(max(h.open, 1))
	if h.usual == 0 {
		h.usual = d
	}
	h.usual += (d - h.usual) / 8
}
