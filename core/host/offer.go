package host

import (
	"context"
	"slices"

	"hiddenbackup/core/tor"
)

// offer is an onion service as it should be.
type offer struct {
	key     string
	clients []string // empty lets everybody in who knows the address
}

// offered are the onion services that tor has of us, by address.
type offered struct {
	tor   *tor.Tor
	port  int // at the onion addresses
	local int // on 127.0.0.1
	now   map[string]offer
}

// fit makes them what they should be. Who was let in and is not any more is
// cut off; all others keep their connections unless they share a service with
// such a person: then they connect again.
func (o *offered) fit(ctx context.Context, want map[string]offer) error {
	for address, is := range o.now {
		should, stays := want[address]
		if stays && slices.Equal(is.clients, should.clients) {
			continue
		}
		lost := !stays || slices.ContainsFunc(is.clients, func(c string) bool { return !slices.Contains(should.clients, c) })
		if err := o.tor.RemoveOnion(ctx, address, lost && o.tor.Own()); err != nil {
			return err
		}
		delete(o.now, address)
		if lost && !o.tor.Own() {
			// Its circuits cannot be closed. There each person has a service of their
			// own, so they lead nowhere any more; what runs on them ends with the node.
			return errAgain
		}
	}
	for address, should := range want {
		if _, there := o.now[address]; there {
			continue
		}
		key, err := tor.ParseOnionKey(should.key)
		if err != nil {
			return err
		}
		if _, _, err := o.tor.AddOnion(ctx, tor.OnionService{Key: key, Port: o.port, LocalPort: o.local, Clients: should.clients}); err != nil {
			return err
		}
		o.now[address] = should
	}
	return nil
}

// announced reports whether all of them can be found.
func (o *offered) announced() bool {
	for address := range o.now {
		if !o.tor.Announced(address) {
			return false
		}
	}
	return true
}
