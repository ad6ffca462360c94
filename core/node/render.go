package node

import (
	"encoding/base32"
	"encoding/json"
	"strconv"
	"strings"
)

// iniSection is one [section] of a tahoe.cfg.
type iniSection struct {
	name string
	keys [][2]string
}

// renderINI writes values with "%" doubled, because Python interpolates them.
func renderINI(sections []iniSection) []byte {
	var text strings.Builder
	for _, section := range sections {
		text.WriteString("[" + section.name + "]\n")
		for _, pair := range section.keys {
			text.WriteString(pair[0] + " = " + strings.ReplaceAll(pair[1], "%", "%%") + "\n")
		}
	}
	return []byte(text.String())
}

// unixEndpoint is a socket path as Twisted's endpoint descriptions want it.
func unixEndpoint(path string) string {
	return "unix:" + strings.NewReplacer(`\`, `\\`, `:`, `\:`, `=`, `\=`).Replace(path)
}

// gatewayINI is a client that listens on a UNIX socket and nowhere else.
// Foolscap is forced because the newer HTTPS storage protocol ignores
// socks.port and polls; without the timers (see patience) one silent server
// would make every directory read hang for ever.
func gatewayINI(c GatewayConfig, socket string) []byte {
	patience := c.Network.patience()
	node := [][2]string{
		{"nickname", "gateway"},
		{"web.port", unixEndpoint(socket) + ":mode=600"},
		{"tub.port", "disabled"},
		{"tub.location", "disabled"},
		{"tempdir", "tmp"},
		{"timeout.keepalive", seconds(patience.keepalive)},
		{"timeout.disconnect", seconds(patience.disconnect)},
	}
	tcp := "tcp"
	var network []iniSection
	switch c.Network {
	case Tor, TorToClearnet:
		node = append(node, [2]string{"reveal-IP-address", "false"})
		tcp = "disabled"
		if c.Network == TorToClearnet {
			tcp = "tor"
		}
		network = []iniSection{torSection(c.TorSocks), notThrough("i2p")}
	case I2P:
		node = append(node, [2]string{"reveal-IP-address", "false"})
		tcp = "disabled"
		network = []iniSection{{"i2p", [][2]string{{"enabled", "true"}, {"sam.port", c.SAM}}}, notThrough("tor")}
	default:
		network = []iniSection{notThrough("tor"), notThrough("i2p")}
	}
	return renderINI(append([]iniSection{
		{"node", node},
		{"client", [][2]string{
			{"shares.needed", strconv.Itoa(c.Needed)},
			{"shares.happy", strconv.Itoa(c.Happy)},
			{"shares.total", strconv.Itoa(c.Total)},
			{"force_foolscap", "true"},
		}},
		{"storage", [][2]string{{"enabled", "false"}}},
		{"connections", [][2]string{{"tcp", tcp}}},
	}, network...))
}

// notThrough keeps Tahoe from a network that nobody chose. Unless told, it uses each
// that this machine has, for any address that an introducer announces.
func notThrough(network string) iniSection {
	return iniSection{network, [][2]string{{"enabled", "false"}}}
}

func torSection(socks string) iniSection {
	return iniSection{"tor", [][2]string{
		{"enabled", "true"},
		{"socks.port", socksEndpoint(socks)},
	}}
}

func socksEndpoint(endpoint string) string {
	if path, ok := strings.CutPrefix(endpoint, "unix:"); ok {
		return unixEndpoint(path)
	}
	return endpoint
}

// serversYAML is private/servers.yaml. YAML includes JSON, so JSON it is.
func serversYAML(servers []Server) []byte {
	storage := map[string]any{}
	for _, s := range servers {
		ann := map[string]string{"nickname": s.Nickname, "anonymous-storage-FURL": s.Furl}
		if s.Seed != "" {
			ann["permutation-seed-base32"] = s.Seed
		}
		storage[s.ID] = map[string]any{"ann": ann}
	}
	return mustJSON(map[string]any{"storage": storage})
}

// introducersYAML is private/introducers.yaml, which must not exist without introducers.
func introducersYAML(introducers []Introducer) []byte {
	named := map[string]any{}
	for _, i := range introducers {
		named[i.Name] = map[string]string{"furl": i.Furl}
	}
	return mustJSON(map[string]any{"introducers": named})
}

func mustJSON(value any) []byte {
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		panic(err) // maps of strings only
	}
	return append(data, '\n')
}

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// secretFile is a secret as tahoe stores it: 52 characters and a newline.
func secretFile(s Secret) []byte { return []byte(lowerBase32.EncodeToString(s[:]) + "\n") }
