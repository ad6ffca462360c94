package node

import "testing"

// The client must outlast the gateway, which must outlast a server that only
// takes its time.
func TestPatienceGrowsFromServerToClient(t *testing.T) {
	for _, n := range []Network{Loopback, Tor, TorToClearnet} {
		p, o := n.patience(), n.ClientOptions()
		gives := 2*p.disconnect + 2*p.keepalive
		if o.SilentAfter <= 2*p.keepalive || o.SilentAfter >= p.disconnect {
			t.Errorf("%s: silent after %v", n, o.SilentAfter)
		}
		if o.IdleTimeout <= gives || o.RequestTimeout <= o.IdleTimeout {
			t.Errorf("%s: the gateway takes %v, the client %v and %v", n, gives, o.IdleTimeout, o.RequestTimeout)
		}
		// A megabyte goes to one server without a sign of life from it.
		if most := p.disconnect - 2*p.keepalive; (1<<20)/p.rate > int64(most.Seconds())*2 {
			t.Errorf("%s: %v are too short for a megabyte", n, most)
		}
	}
}
