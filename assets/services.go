package assets

import (
	"embed"
	"fmt"
)

//go:embed services/*.toml
var services embed.FS

// Service returns the description of a service that a host can offer.
// package host says what is in it.
func Service(name string) ([]byte, error) {
	b, err := services.ReadFile("services/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("finding the service: %w", err)
	}
	return b, nil
}

// HostUnit is the systemd user unit that starts a service at login.
//
//go:embed systemd/hidden-backup-host@.service
var HostUnit string
