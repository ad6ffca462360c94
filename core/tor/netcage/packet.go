package netcage

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// Packet is what matters of a packet. Equal ones are counted together.
type Packet struct {
	Interface string
	Protocol  string         // "tcp", "udp", or a number and what it numbers
	From, To  netip.AddrPort // port 0 if there is none, or it could not be read
	Opens     bool           // the first packet of a TCP connection
}

func (p Packet) String() string {
	what := p.Protocol
	if p.DNS() {
		what += " (DNS)"
	}
	return fmt.Sprintf("%s: %s %v → %v", p.Interface, what, p.From, p.To)
}

// DNS reports whether somebody asks for a name, in the clear or over TLS.
func (p Packet) DNS() bool { return p.To.Port() == 53 || p.To.Port() == 853 }

// goesTo reports whether the packet is on its way to one of these, or back.
// Who opens a connection can only be on the way.
func (p Packet) goesTo(allowed []netip.AddrPort) bool {
	return slices.Contains(allowed, p.To) || !p.Opens && slices.Contains(allowed, p.From)
}

// Numbers of protocols and message types: IANA.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd

	protocolHop    = 0 // IPv6 options, before multicast reports
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
)

// decode reads a packet from its network header on. What it cannot read it
// still reports, with zero addresses: nothing is overlooked for being odd.
// Neighbour is the kernel's talk with its own cable: ARP, neighbour and router
// discovery, multicast membership.
func decode(ether uint16, b []byte) (p Packet, neighbour bool) {
	switch {
	case ether == etherARP:
		return Packet{Protocol: "arp"}, true
	case ether == etherIPv4 && len(b) >= 20:
		return decodeIPv4(b), false
	case ether == etherIPv6 && len(b) >= 40:
		return decodeIPv6(b)
	}
	return Packet{Protocol: fmt.Sprintf("ethertype %#04x", ether)}, false
}

func decodeIPv4(b []byte) Packet {
	from, to := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	payload := b[min(len(b), int(b[0]&0xf)*4):]
	if fragment := binary.BigEndian.Uint16(b[6:]) & 0x1fff; fragment != 0 {
		payload = nil // it has no ports
	}
	return transport(b[9], from, to, payload)
}

func decodeIPv6(b []byte) (p Packet, neighbour bool) {
	from, to := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	protocol, payload := b[6], b[40:]
	if protocol == protocolHop && len(payload) >= 2 {
		next, size := payload[0], 8+8*int(payload[1])
		protocol, payload = next, payload[min(len(payload), size):]
	}
	p = transport(protocol, from, to, payload)
	if protocol != protocolICMPv6 || len(payload) == 0 {
		return p, false
	}
	kind := payload[0]
	return p, 130 <= kind && kind <= 137 || kind == 143
}

func transport(protocol byte, from, to netip.Addr, b []byte) Packet {
	p := Packet{Protocol: fmt.Sprintf("protocol %d", protocol)}
	var source, destination uint16
	switch protocol {
	case protocolTCP:
		p.Protocol = "tcp"
		const syn, ack = 0x02, 0x10
		p.Opens = len(b) >= 14 && b[13]&(syn|ack) == syn
	case protocolUDP:
		p.Protocol = "udp"
	default:
		b = nil
	}
	if len(b) >= 4 {
		source, destination = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	}
	p.From, p.To = netip.AddrPortFrom(from, source), netip.AddrPortFrom(to, destination)
	return p
}
