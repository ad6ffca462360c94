package netcage

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Resolver is the cage's name server. It never answers.
var Resolver = netip.MustParseAddrPort("10.99.0.53:53")

// network is for "ip -batch". A pair of virtual cables is in every kernel that
// containers run on. Without ARP a packet leaves at once, whoever it is for:
// with it, it would wait for a neighbour that is not there, and never be seen.
// The far end stays without addresses and says nothing by itself.
const network = `link set lo up
link add way-out type veth peer name nowhere
link set way-out addrgenmode none arp off
link set nowhere addrgenmode none arp off
link set nowhere up
link set way-out up
addr add 10.99.0.1/24 dev way-out
addr add fd99::1/64 dev way-out nodad
route add 0.0.0.0/0 dev way-out
route add ::/0 dev way-out
`

// build makes the cage's network and name server in the namespaces that this
// process is in. dir is for files that are there as long as the cage.
func build(dir string) error {
	ip, err := findIP()
	if err != nil {
		return err
	}
	cmd := exec.Command(ip, "-batch", "-")
	cmd.Stdin = strings.NewReader(network)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", ip, err, strings.TrimSpace(string(said)))
	}
	// What is mounted from here on is for the cage only.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("parting from the system's mounts: %w", err)
	}
	for name, text := range map[string]string{
		"resolv.conf":   "nameserver " + Resolver.Addr().String() + "\noptions timeout:1 attempts:1\n",
		"nsswitch.conf": "hosts: files dns\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(file, filepath.Join("/etc", name), "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("replacing %s: %w", name, err)
		}
	}
	return nil
}

// findIP looks where a person who is not root has no PATH to, too.
func findIP() (string, error) {
	for _, name := range []string{"ip", "/usr/sbin/ip", "/sbin/ip"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("the program ip (package iproute2) is not installed")
}
