package node

import (
	"context"
	"fmt"
	"os"
)

// Onion is what nodes behind onion services need of a tor.
type Onion struct {
	TorSocks string // as in GatewayConfig

	// Offer makes an onion service of a port on 127.0.0.1 and returns how it is
	// reached: "tor:….onion:PORT". dir is the node's, where it may keep a key
	// so that the node has the same address the next time.
	Offer func(ctx context.Context, dir string, port int) (hint string, err error)
}

// offer puts the nodes behind onion services.
func (p *Practice) offer(ctx context.Context, cfg PracticeConfig) (err error) {
	onion := cfg.Onion
	switch {
	case onion != nil:
	case cfg.connector == nil:
		return badConfig("onion services need somebody who makes them")
	default:
		if onion, p.closeOnions, err = cfg.connector.Onion(ctx, p.dir); err != nil {
			return err
		}
	}
	for _, n := range p.all() {
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
