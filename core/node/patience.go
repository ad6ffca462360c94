package node

import (
	"strconv"
	"time"

	"hiddenbackup/tahoeclient"
)

// patience is how long silence on a network may last: these are Foolscap's two
// timers. A connection on which nothing came for keepalive is asked for a sign
// of life; one on which nothing came for disconnect is given up. Both are
// looked at once in their own time only, so that a server that falls silent is
// given up between disconnect - 2 keepalive and 2 disconnect later.
type patience struct {
	keepalive, disconnect time.Duration

	// rate is what the slowest grid of the network moves, in bytes a second.
	rate int64

	// hang is the silence after which a download is asked for anew; 0 is never.
	hang time.Duration
}

// On loopback silence is death, and the disk is the limit. Over Tor a server
// answers nothing while a megabyte is on its way to it: the timers must leave
// time for that, and asking anew is what helps earlier.
func (n Network) patience() patience {
	if n == Loopback {
		return patience{4 * time.Second, 15 * time.Second, 256 << 10, 0}
	}
	return patience{time.Minute, 5 * time.Minute, 4096, 40 * time.Second}
}

// ClientOptions are the bounds of a client whose gateway is on network n: it
// waits until the gateway has given up a silent server, and a little longer.
func (n Network) ClientOptions() tahoeclient.Options {
	p := n.patience()
	return tahoeclient.Options{
		IdleTimeout:    2*p.disconnect + 4*p.keepalive,
		RequestTimeout: 2*p.disconnect + 5*p.keepalive,
		MinRate:        p.rate,
		HangAfter:      p.hang,
		SilentAfter:    3 * p.keepalive,
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
