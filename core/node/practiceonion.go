package node

import (
	"context"
	"fmt"
	"os"
)

// Onion is what storage nodes behind onion services need of a tor.
type Onion struct {
	TorSocks string // as in GatewayConfig

	// Offer makes an onion service of a port on 127.0.0.1 and returns how it is
	// reached: "tor:….onion:PORT". dir is the node's, where it may keep a key
	// so that the node has the same address the next time.
	Offer func(ctx context.Context, dir string, port int) (hint string, err error)
}

// offer puts the storage nodes behind onion services.
func (p *Practice) offer(ctx context.Context, onion *Onion) error {
	if onion == nil {
		return nil
	}
	for _, n := range p.nodes {
		if err := os.MkdirAll(n.dir, 0o700); err != nil {
			return fmt.Errorf("making the node directory: %w", err)
		}
		hint, err := onion.Offer(ctx, n.dir, n.port)
		if err != nil {
			return err
		}
		if !onionHint.MatchString(hint) {
			return badConfig("%s is offered at an address that is not an onion service", n.name)
		}
		n.onion, n.torSocks = hint, onion.TorSocks
	}
	return nil
}
