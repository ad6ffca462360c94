package tornet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"hiddenbackup/core/internal/process"
)

var (
	identityLine    = regexp.MustCompile(`(?m)^fingerprint ([0-9A-F]{40})$`)
	fingerprintLine = regexp.MustCompile(`(?m)^\S+((?: [0-9A-F]{4}){10})$`)
)

// makeKeys makes a node's keys, and of an authority the line by which others know it.
func (o *node) makeKeys(ctx context.Context, p programs) error {
	if err := os.MkdirAll(filepath.Join(o.dir, "keys"), 0o700); err != nil {
		return err
	}
	var identity string
	var options []string
	if o.dirPort != 0 {
		var err error
		if identity, err = o.certify(ctx, p); err != nil {
			return err
		}
		// It wants to know some authority before it makes the keys of one.
		options = []string{"--DirAuthority", "none 127.0.0.1:1 " + strings.Repeat("f", 40)}
	}
	empty := filepath.Join(o.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		return err
	}
	said, err := o.ask(ctx, "", append([]string{p.tor, "--defaults-torrc", "/dev/null", "-f", empty, "--quiet",
		"--list-fingerprint", "--DataDirectory", o.dir, "--Nickname", o.name, "--ORPort", fmt.Sprint(o.orPort)}, options...)...)
	if err != nil {
		return err
	}
	fingerprint := fingerprintLine.FindSubmatch(said)
	if fingerprint == nil {
		return fmt.Errorf("%s: its fingerprint is not understood", o.name)
	}
	o.fingerprint = strings.ReplaceAll(string(fingerprint[1]), " ", "")
	if o.dirPort != 0 {
		o.line = fmt.Sprintf("DirAuthority %s orport=%d no-v2 v3ident=%s 127.0.0.1:%d %s",
			o.name, o.orPort, identity, o.dirPort, o.fingerprint)
	}
	return nil
}

// certify makes the keys with which an authority votes, and returns the
// fingerprint of the one they are certified with.
func (o *node) certify(ctx context.Context, p programs) (identity string, err error) {
	keys := filepath.Join(o.dir, "keys")
	certificate := filepath.Join(keys, "authority_certificate")
	// The passphrase guards a key that is worth nothing; without one there is none.
	_, err = o.ask(ctx, "none\n", p.gencert, "--create-identity-key", "-m", "12", "--passphrase-fd", "0",
		"-a", fmt.Sprintf("127.0.0.1:%d", o.dirPort), "-c", certificate,
		"-i", filepath.Join(keys, "authority_identity_key"), "-s", filepath.Join(keys, "authority_signing_key"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(certificate)
	if err != nil {
		return "", err
	}
	match := identityLine.FindSubmatch(text)
	if match == nil {
		return "", fmt.Errorf("%s: its certificate is not understood", o.name)
	}
	return string(match[1]), nil
}

// ask returns what a program wrote to its standard output.
func (o *node) ask(ctx context.Context, input string, argv ...string) ([]byte, error) {
	var output, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = process.Environment(o.dir, o.dir)
	cmd.Stdin = strings.NewReader(input)
	cmd.Stdout, cmd.Stderr = &output, &complaint
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s of %s: %w", filepath.Base(argv[0]), o.name,
			errors.Join(err, errors.New(strings.TrimSpace(complaint.String()+output.String()))))
	}
	return output.Bytes(), nil
}
