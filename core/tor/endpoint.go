package tor

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// The kernel's field for a UNIX socket's path has 108 bytes with its end.
const maxSocketPath = 107

// endpoint is where SOCKS connections are taken.
type endpoint struct{ network, address string }

// parseEndpoint reads "tcp:127.0.0.1:9050" or "unix:/path". Addresses beyond
// this machine are refused: the way there would be open to others.
func parseEndpoint(text string) (endpoint, error) {
	network, address, _ := strings.Cut(text, ":")
	switch network {
	case "tcp":
		if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() && a.Addr().IsLoopback() && a.Port() != 0 {
			return endpoint{"tcp", address}, nil
		}
		return endpoint{}, badConfig("the SOCKS address %q is not a port on 127.0.0.1", text)
	case "unix":
		if strings.HasPrefix(address, "/") && len(address) <= maxSocketPath && printable(address) {
			return endpoint{"unix", address}, nil
		}
	}
	return endpoint{}, badConfig("%q is not a SOCKS address such as tcp:127.0.0.1:9050 or unix:/path", text)
}

// String is the endpoint as Twisted and we write it.
func (e endpoint) String() string { return e.network + ":" + e.address }

func (e endpoint) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, e.network, e.address)
}

// printable reports whether text has no control characters.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
