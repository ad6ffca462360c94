package netcage

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// Room for what comes while others have the processor. Who is not root
	// gets less of it (net.core.rmem_max).
	receiveBuffer = 64 << 20

	snapLength = 128 // all headers that are read
)

// listen opens a socket that hears every packet on every interface, those that
// come later too: it is bound to none.
func listen() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err == nil {
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL)})
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "packets"), nil
}

// bigEndian is n with its bytes in network order, or back.
func bigEndian(n uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, n))
}

// Offsets at which a filter finds what is not in the packet (linux/filter.h).
const (
	aboutProtocol  = 0xfffff000
	aboutInterface = 0xfffff000 + 8
)

// filter passes everything but the middle of TCP connections on loopback, which
// is nearly all there is: how they began was seen.
var filter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: aboutInterface},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 1, Jf: 8}, // loopback is the first of a network
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: aboutProtocol},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: etherIPv4, Jf: 6},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protocolTCP, Jf: 4},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},            // length of the IP header
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 13},            // TCP flags
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x02, Jt: 1}, // SYN
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: snapLength},
}
