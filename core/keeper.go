package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"hiddenbackup/core/node"
)

// KeeperCommand is the hidden command a front end must answer by calling
// RunKeeper: the process that keeps a gateway or a practice grid after the
// command that asked for it has ended.
const KeeperCommand = "keep-node"

// RunKeeper is that process's whole work. It ends when it is told to stop.
func RunKeeper(ctx context.Context) error { return node.RunKeeper(ctx, connector{}) }

func keeperArgs() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return []string{self, KeeperCommand}, nil
}

// StartGateway starts a gateway for the manifest that outlives this process:
// Connect finds it. It returns the keeper's process number.
func StartGateway(ctx context.Context, c Config, a *Access) (pid int, err error) {
	config, err := GatewayConfig(c, a)
	if err != nil {
		return 0, err
	}
	argv, err := keeperArgs()
	if err != nil {
		return 0, err
	}
	id, err := a.gatewayID()
	if err != nil {
		return 0, err
	}
	if config.Network == node.I2P {
		if err := checkSAM(ctx, c.sam()); err != nil {
			return 0, err
		}
	}
	way, err := c.throughTor(a.reader.Grid)
	if err != nil {
		return 0, err
	}
	settings, err := json.Marshal(way)
	if err != nil {
		return 0, fmt.Errorf("telling the gateway which tor to use: %w", err)
	}
	attached, err := node.SpawnKeeper(ctx, argv, id, config, settings)
	if err != nil {
		return 0, toldByKeeper(err)
	}
	return attached.PID, nil
}

// StopGateway stops what StartGateway started and removes its traces.
func StopGateway(c Config, a *Access) error {
	id, err := a.gatewayID()
	if err != nil {
		return err
	}
	return node.StopGateway(c.Directory, id)
}

// Kind is node.Connector's: the row of the explanation, from 1.
func (connector) Kind(err error) int { return tellFailure(err).Row + 1 }

// toldByKeeper gives an error from the keeper its kind back.
func toldByKeeper(err error) error {
	var told *node.KeeperError
	if errors.As(err, &told) {
		return (&failure{Row: told.Kind - 1, Text: told.Text}).told()
	}
	return err
}
