package netcage

import (
	"net/netip"
	"slices"
	"testing"
)

// What is odd must not be overlooked: it is reported as going nowhere that is
// allowed.
func TestPacketsAreReadAsWhatTheyAre(t *testing.T) {
	v4 := func(protocol byte, fragment byte, payload ...byte) []byte {
		return append([]byte{0x45, 0, 0, 0, 0, 0, 0, fragment, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, payload...)
	}
	v6 := func(next byte, payload ...byte) []byte {
		head := append([]byte{0x60, 0, 0, 0, 0, 0, next, 64}, make([]byte, 32)...)
		head[8], head[9], head[23] = 0xfd, 0x99, 1
		head[24], head[25], head[39] = 0xfd, 0x99, 2
		return append(head, payload...)
	}
	ports := []byte{0x12, 0x34, 0x00, 0x35}
	tcp := func(flags byte) []byte { return append(slices.Clone(ports), 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags) }
	for name, c := range map[string]struct {
		ether     uint16
		bytes     []byte
		want      string
		opens     bool
		neighbour bool
	}{
		"a question for a name":        {etherIPv4, v4(17, 0, ports...), "way-out: udp (DNS) 10.0.0.1:4660 → 10.0.0.2:53", false, false},
		"one over IPv6":                {etherIPv6, v6(17, ports...), "way-out: udp (DNS) [fd99::1]:4660 → [fd99::2]:53", false, false},
		"the beginning":                {etherIPv4, v4(6, 0, tcp(0x02)...), "way-out: tcp (DNS) 10.0.0.1:4660 → 10.0.0.2:53", true, false},
		"the answer to it":             {etherIPv4, v4(6, 0, tcp(0x12)...), "way-out: tcp (DNS) 10.0.0.1:4660 → 10.0.0.2:53", false, false},
		"options before the ports":     {etherIPv4, append(append([]byte{0x46}, v4(17, 0)[1:]...), append([]byte{1, 1, 1, 1}, ports...)...), "way-out: udp (DNS) 10.0.0.1:4660 → 10.0.0.2:53", false, false},
		"a later fragment":             {etherIPv4, v4(17, 9, ports...), "way-out: udp 10.0.0.1:0 → 10.0.0.2:0", false, false},
		"ports that are cut off":       {etherIPv4, v4(17, 0, 1, 2), "way-out: udp 10.0.0.1:0 → 10.0.0.2:0", false, false},
		"a ping":                       {etherIPv4, v4(1, 0, 8, 0), "way-out: protocol 1 10.0.0.1:0 → 10.0.0.2:0", false, false},
		"a ping over IPv6":             {etherIPv6, v6(58, 128, 0), "way-out: protocol 58 [fd99::1]:0 → [fd99::2]:0", false, false},
		"neighbour solicitation":       {etherIPv6, v6(58, 135, 0), "way-out: protocol 58 [fd99::1]:0 → [fd99::2]:0", false, true},
		"a multicast report":           {etherIPv6, v6(0, 58, 0, 5, 2, 0, 0, 1, 0, 143, 0), "way-out: protocol 58 [fd99::1]:0 → [fd99::2]:0", false, true},
		"options before a question":    {etherIPv6, v6(0, append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, ports...)...), "way-out: udp (DNS) [fd99::1]:4660 → [fd99::2]:53", false, false},
		"ARP":                          {etherARP, nil, "way-out: arp invalid AddrPort → invalid AddrPort", false, true},
		"an IPv4 header that is short": {etherIPv4, make([]byte, 19), "way-out: ethertype 0x0800 invalid AddrPort → invalid AddrPort", false, false},
		"an IPv6 header that is short": {etherIPv6, make([]byte, 39), "way-out: ethertype 0x86dd invalid AddrPort → invalid AddrPort", false, false},
		"neither":                      {0x88cc, make([]byte, 99), "way-out: ethertype 0x88cc invalid AddrPort → invalid AddrPort", false, false},
	} {
		p, neighbour := decode(c.ether, c.bytes)
		p.Interface = "way-out"
		if p.String() != c.want || p.Opens != c.opens || neighbour != c.neighbour {
			t.Errorf("%s: %v, opens %v, neighbour %v", name, p, p.Opens, neighbour)
		}
		if p.goesTo([]netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:53")}) {
			t.Errorf("%s counts as allowed", name)
		}
	}
}
