package tahoetest

import (
	"testing"

	"hiddenbackup/tahoeclient"
)

func TestGatewayConforms(t *testing.T) {
	g := NewGateway(t)
	Conformance(t, func(t *testing.T) *tahoeclient.Client { return g.Client(t) })
}
