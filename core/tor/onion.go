package tor

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha3"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

const onionSuffix = ".onion"

// CheckOnion returns an ErrOnionAddress unless host is the address of an onion
// service, "….onion" in lower case. The address contains a checksum, so that
// one that was mistyped is found out here.
func CheckOnion(host string) error {
	name, ok := strings.CutSuffix(host, onionSuffix)
	raw, err := base32.StdEncoding.DecodeString(strings.ToUpper(name))
	if !ok || err != nil || len(raw) != 35 || name != strings.ToLower(name) {
		return fmt.Errorf("%w: it must be 56 letters and digits before .onion", ErrOnionAddress)
	}
	key, sum, version := raw[:32], raw[32:34], raw[34:]
	want := sha3.Sum256(append(append([]byte(".onion checksum"), key...), version...))
	if version[0] != 3 || string(sum) != string(want[:2]) {
		return fmt.Errorf("%w: its letters do not fit together, as if it were mistyped", ErrOnionAddress)
	}
	return nil
}

// OnionKey makes an onion service what it is: whoever has it can take its
// place. The zero value is none.
type OnionKey struct{ text string }

var onionKeyGrammar = regexp.MustCompile(`^ED25519-V3:[A-Za-z0-9+/]{86}==$`)

// ParseOnionKey reads what Secret returned.
func ParseOnionKey(text string) (OnionKey, error) {
	if !onionKeyGrammar.MatchString(text) {
		return OnionKey{}, errors.New("not the key of an onion service")
	}
	return OnionKey{text}, nil
}

// Secret is the key as tor writes it, to be kept.
func (k OnionKey) Secret() string { return k.text }

// Format prints nothing of the key.
func (OnionKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[onion key]") }

// LogValue keeps the key out of logs.
func (OnionKey) LogValue() slog.Value { return slog.StringValue("[onion key]") }

// ClientKey lets its holder in where an onion service is locked. Public is
// for the service; the key itself is for the client's tor.
type ClientKey struct{ private *ecdh.PrivateKey }

var keyEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewClientKey makes a random key.
func NewClientKey() (ClientKey, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	return ClientKey{private}, err
}

// ParseClientKey reads what Secret returned.
func ParseClientKey(text string) (ClientKey, error) {
	raw, err := keyEncoding.DecodeString(text)
	if err == nil {
		if private, err := ecdh.X25519().NewPrivateKey(raw); err == nil {
			return ClientKey{private}, nil
		}
	}
	return ClientKey{}, errors.New("not a client's key for an onion service")
}

// Public is the half that the onion service knows: 52 letters and digits.
func (k ClientKey) Public() string {
	return keyEncoding.EncodeToString(k.private.PublicKey().Bytes())
}

// Bytes are the key's 32 bytes.
func (k ClientKey) Bytes() []byte { return k.private.Bytes() }

// Secret is the key in letters and digits, as tor's own files have it.
func (k ClientKey) Secret() string { return keyEncoding.EncodeToString(k.private.Bytes()) }

// Format prints nothing of the key.
func (ClientKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[client key]") }

// LogValue keeps the key out of logs.
func (ClientKey) LogValue() slog.Value { return slog.StringValue("[client key]") }

// OnionService is one that tor offers for us.
type OnionService struct {
	Key       OnionKey // zero makes a new one, and a new address
	Port      int      // at the onion address
	LocalPort int      // on 127.0.0.1, where connections lead

	// Clients are the public keys of those who are let in. Empty lets in
	// everybody who knows the address.
	Clients []string
}

var clientGrammar = regexp.MustCompile(`^[A-Z2-7]{52}$`)

func (s OnionService) command(own bool) (string, error) {
	for _, port := range []int{s.Port, s.LocalPort} {
		if port < 1 || port > 65535 {
			return "", badConfig("%d is not a port for an onion service", port)
		}
	}
	var flags []string
	if own {
		// It would end with this request's connection. So it ends with our tor.
		flags = append(flags, "Detach")
	}
	key, clients := "NEW:ED25519-V3", ""
	if s.Key.text != "" {
		key, flags = s.Key.text, append(flags, "DiscardPK")
	}
	if len(s.Clients) > 0 {
		flags = append(flags, "V3Auth")
	}
	for _, c := range s.Clients {
		if !clientGrammar.MatchString(c) {
			return "", badConfig("a public key of a client is not one")
		}
		clients += " ClientAuthV3=" + c
	}
	if len(flags) > 0 {
		key += " Flags=" + strings.Join(flags, ",")
	}
	return fmt.Sprintf("ADD_ONION %s Port=%d,127.0.0.1:%d%s", key, s.Port, s.LocalPort, clients), nil
}

// AddOnion makes tor offer an onion service until it ends or t is closed, and
// returns its address and key. It can be reached some seconds later. ErrNotOwn
// is a running tor that takes no commands.
func (t *Tor) AddOnion(ctx context.Context, s OnionService) (address string, key OnionKey, err error) {
	ask, err := t.services()
	if err != nil {
		return "", key, fmt.Errorf("offering an onion service: %w", err)
	}
	command, err := s.command(t.own != nil)
	if err != nil {
		return "", key, err
	}
	lines, err := ask(ctx, command)
	if err != nil {
		return "", key, fmt.Errorf("offering an onion service: %w", err)
	}
	key = s.Key
	for _, line := range lines {
		if id, ok := strings.CutPrefix(line, "ServiceID="); ok {
			address = id + onionSuffix
		}
		if text, ok := strings.CutPrefix(line, "PrivateKey="); ok {
			if key, err = ParseOnionKey(text); err != nil {
				return "", key, fmt.Errorf("offering an onion service: %w: its answer has no key", ErrControl)
			}
		}
	}
	if CheckOnion(address) != nil || key.text == "" {
		return "", OnionKey{}, fmt.Errorf("offering an onion service: %w: its answer is not understood", ErrControl)
	}
	return address, key, nil
}

// AddClientAuth gives tor the key to a locked onion service, until it ends.
// ErrNotOwn is a running tor that takes no commands.
func (t *Tor) AddClientAuth(ctx context.Context, host string, key ClientKey) error {
	ask, err := t.keys()
	if err != nil {
		return fmt.Errorf("unlocking an onion service: %w", err)
	}
	if err := CheckOnion(host); err != nil {
		return err
	}
	if key.private == nil {
		return badConfig("there is no key to unlock an onion service with")
	}
	_, err = ask(ctx, "ONION_CLIENT_AUTH_ADD "+strings.TrimSuffix(host, onionSuffix)+
		" x25519:"+base64.StdEncoding.EncodeToString(key.private.Bytes()))
	if err != nil {
		return fmt.Errorf("unlocking an onion service: %w", err)
	}
	return nil
}
