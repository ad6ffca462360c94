package node

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

func sample() GatewayConfig {
	id := "v0-" + strings.Repeat("a", 52)
	return GatewayConfig{
		Needed: 3, Happy: 4, Total: 5, Network: Loopback,
		Introducers: []Introducer{{"main", "pb://" + strings.Repeat("i", 32) + "@tcp:127.0.0.1:20000/introducer"}},
		Servers: []Server{{
			ID: id, Nickname: `a "friend"`, Seed: strings.Repeat("s", 84),
			Furl: "pb://" + strings.Repeat("b", 32) + "@tcp:127.0.0.1:20001/swissnum",
		}},
		LeaseSecret: Secret{1}, Convergence: Secret{2},
	}
}

func torSample(network Network) GatewayConfig {
	cfg := sample()
	cfg.Network, cfg.TorSocks = network, "unix:/run/a:b/100%/socks"
	cfg.Introducers = nil
	cfg.Servers[0].Furl = "pb://" + strings.Repeat("b", 32) + "@tor:" + strings.Repeat("o", 56) + ".onion:3457/swissnum"
	return cfg
}

func i2pSample() GatewayConfig {
	cfg := sample()
	cfg.Network, cfg.SAM = I2P, "tcp:127.0.0.1:7656"
	cfg.Introducers = nil
	cfg.Servers[0].Furl = "pb://" + strings.Repeat("b", 32) + "@i2p:" + strings.Repeat("d", 52) + ".b32.i2p:3457/swissnum"
	return cfg
}

func TestRenderedFiles(t *testing.T) {
	const socket = "/run/user/1000/we:ird %s/web.sock"
	grid := sample()
	introducer := newIntroducer("/practice/introducer")
	storage := newStorageNode("node-1", "/practice/node-1")
	onion := newStorageNode("node-1", "/practice/node-1")
	introducer.port, storage.port, onion.port = 20000, 20001, 20001
	onion.onion, onion.torSocks = "tor:"+strings.Repeat("o", 56)+".onion:3457", "unix:/run/tor:1/socks"
	for name, got := range map[string][]byte{
		"loopback.cfg":        gatewayINI(grid, socket),
		"tor.cfg":             gatewayINI(torSample(Tor), socket),
		"tor-to-clearnet.cfg": gatewayINI(torSample(TorToClearnet), socket),
		"i2p.cfg":             gatewayINI(i2pSample(), socket),
		"introducer.cfg":      introducer.ini(),
		"storage.cfg":         storage.ini(),
		"storage-onion.cfg":   onion.ini(),
		"servers.yaml":        serversYAML(grid.Servers),
		"introducers.yaml":    introducersYAML(grid.Introducers),
		"secret":              secretFile(grid.LeaseSecret),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is now:\n%s", name, got)
		}
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	if err := sample().check(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(torSample(Tor).check(), i2pSample().check()); err != nil {
		t.Fatal(err)
	}
	const secret = "swissnum"
	furl := func(hints string) string { return "pb://" + strings.Repeat("b", 32) + "@" + hints + "/" + secret }
	for name, change := range map[string]func(*GatewayConfig){
		"no network":           func(c *GatewayConfig) { c.Network = "" },
		"unknown network":      func(c *GatewayConfig) { c.Network = "clearnet" },
		"i2p without a router": func(c *GatewayConfig) { *c = i2pSample(); c.SAM = "" },
		"i2p router elsewhere": func(c *GatewayConfig) { *c = i2pSample(); c.SAM = "tcp:192.0.2.1:7656" },
		"i2p to loopback":      func(c *GatewayConfig) { *c = i2pSample(); c.Servers[0].Furl = furl("tcp:127.0.0.1:80") },
		"i2p and an onion": func(c *GatewayConfig) {
			*c = i2pSample()
			c.Servers[0].Furl = furl("i2p:" + strings.Repeat("d", 52) + ".b32.i2p:80,tor:" + strings.Repeat("o", 56) + ".onion:80")
		},
		"tor without tor":      func(c *GatewayConfig) { *c = torSample(Tor); c.TorSocks = "" },
		"clearnet without tor": func(c *GatewayConfig) { *c = torSample(TorToClearnet); c.TorSocks = "" },
		"odd socks":            func(c *GatewayConfig) { *c = torSample(Tor); c.TorSocks = "tcp:127.0.0.1:9050\nx = y" },
		"tor and clearnet": func(c *GatewayConfig) {
			*c = torSample(Tor)
			c.Servers[0].Furl = furl("tor:" + strings.Repeat("o", 56) + ".onion:3457,tcp:192.0.2.1:80")
		},
		"tor to an exit":      func(c *GatewayConfig) { *c = torSample(Tor); c.Servers[0].Furl = furl("tor:example.org:80") },
		"tor to an old onion": func(c *GatewayConfig) { *c = torSample(Tor); c.Servers[0].Furl = furl("tor:expyuzz4wqqyqhjn.onion:80") },
		"onion without tor": func(c *GatewayConfig) {
			*c = torSample(Tor)
			c.Servers[0].Furl = furl(strings.Repeat("o", 56) + ".onion:80")
		},
		"tor to loopback":         func(c *GatewayConfig) { *c = torSample(Tor); c.Servers[0].Furl = furl("tcp:127.0.0.1:80") },
		"introducer not by tor":   func(c *GatewayConfig) { i := c.Introducers; *c = torSample(Tor); c.Introducers = i },
		"nobody to connect to":    func(c *GatewayConfig) { c.Servers, c.Introducers = nil, nil },
		"none needed":             func(c *GatewayConfig) { c.Needed = 0 },
		"happy below needed":      func(c *GatewayConfig) { c.Happy = 2 },
		"happy above total":       func(c *GatewayConfig) { c.Happy = 6 },
		"too many":                func(c *GatewayConfig) { c.Total = 256 },
		"practice far away":       func(c *GatewayConfig) { c.Servers[0].Furl = furl("tcp:192.0.2.1:80") },
		"practice also far away":  func(c *GatewayConfig) { c.Servers[0].Furl = furl("tcp:127.0.0.1:80,tcp:192.0.2.1:80") },
		"practice introducer far": func(c *GatewayConfig) { c.Introducers[0].Furl = furl("tcp:example.org:80") },
		"furl of two lines":       func(c *GatewayConfig) { c.Servers[0].Furl += "\n" },
		"not a furl":              func(c *GatewayConfig) { c.Servers[0].Furl = "http://" + secret },
		"odd introducer name":     func(c *GatewayConfig) { c.Introducers[0].Name = "../x" },
		"introducer twice":        func(c *GatewayConfig) { c.Introducers = append(c.Introducers, c.Introducers[0]) },
		"odd server id":           func(c *GatewayConfig) { c.Servers[0].ID = "x" },
		"server twice":            func(c *GatewayConfig) { c.Servers = append(c.Servers, c.Servers[0]) },
		"odd seed":                func(c *GatewayConfig) { c.Servers[0].Seed = "A" },
	} {
		cfg := sample()
		change(&cfg)
		err := cfg.check()
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds an address: %v", name, err)
		}
	}
}

func TestConfigurationsPrintNoSecrets(t *testing.T) {
	cfg := sample()
	cfg.LeaseSecret = Secret{0xaa, 0xbb}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("x", "config", cfg, "server", cfg.Servers[0], "introducer", cfg.Introducers[0], "secret", cfg.LeaseSecret)
	texts := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		texts = append(texts,
			fmt.Sprintf(verb, cfg), fmt.Sprintf(verb, &cfg), fmt.Sprintf(verb, cfg.LeaseSecret),
			fmt.Sprintf(verb, cfg.Servers), fmt.Sprintf(verb, cfg.Introducers),
			fmt.Sprintf(verb, Grid{Servers: cfg.Servers, Introducers: cfg.Introducers}))
	}
	for _, text := range texts {
		for _, secret := range []string{"swissnum", "tcp:", "170", "aabb", "0xaa"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %q", secret, text)
			}
		}
	}
}
