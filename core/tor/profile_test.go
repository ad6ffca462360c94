package tor

import (
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What we say to a running tor must pass the filter of Tails with our profile,
// and what we never say must not.
func TestCommandsPassTheProfileForTails(t *testing.T) {
	text, err := os.ReadFile("../../assets/onion-grater/hidden-backup.yml")
	if err != nil {
		t.Fatal(err)
	}
	key, quoted := regexp.MustCompile(`^([A-Z_]+):`), regexp.MustCompile(`'([^']*)'`)
	allowed := map[string][]*regexp.Regexp{}
	verb := ""
	for _, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		if m := key.FindStringSubmatch(trimmed); m != nil {
			verb = m[1]
		}
		if strings.HasPrefix(trimmed, "#") || !strings.HasPrefix(line, "    ") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(line, -1) {
			// onion-grater matches the whole argument.
			allowed[verb] = append(allowed[verb], regexp.MustCompile("^(?:"+m[1]+")$"))
		}
	}
	passes := func(command string) bool {
		verb, arguments, _ := strings.Cut(command, " ")
		for _, pattern := range allowed[verb] {
			if pattern.MatchString(arguments) {
				return true
			}
		}
		return false
	}
	onion, address, err := NewOnionKey()
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClientKey()
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSuffix(address, onionSuffix)
	said := []string{
		"GETINFO version", "GETINFO status/bootstrap-phase", "DEL_ONION " + id,
		"ONION_CLIENT_AUTH_ADD " + id + " x25519:" + base64.StdEncoding.EncodeToString(client.Bytes()),
	}
	for _, clients := range [][]string{nil, {client.Public()}, {client.Public(), client.Public()}} {
		command, err := OnionService{Key: onion, Port: 3457, LocalPort: 32001, Clients: clients}.command(false)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, command)
	}
	for _, command := range said {
		if !passes(command) {
			verb, _, _ := strings.Cut(command, " ")
			t.Errorf("%s does not pass", verb)
		}
	}
	toOthers, _ := OnionService{Key: onion, Port: 80, LocalPort: 80}.command(false)
	for _, command := range []string{
		"GETINFO circuit-status", "GETINFO address", "SETCONF DisableNetwork=1", "SIGNAL NEWNYM", "CLOSECIRCUIT 1", "SIGNAL SHUTDOWN",
		strings.Replace(toOthers, "127.0.0.1:80", "192.168.1.1:80", 1),
	} {
		if passes(command) {
			t.Errorf("%s passes", command)
		}
	}
}
