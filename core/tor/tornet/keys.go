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

// makeKeys makes an authority's keys, if it has none yet, and the line by
// which others know it.
func (o *node) makeKeys(ctx context.Context, p programs) error {
	keys := filepath.Join(o.dir, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return err
	}
	certificate := filepath.Join(keys, "authority_certificate")
	if _, err := os.Stat(certificate); err != nil {
		// The passphrase guards a key that is worth nothing. Without one tor-gencert refuses.
		_, err := o.run(ctx, "none\n", p.gencert, "--create-identity-key", "-m", "12", "--passphrase-fd", "0",
			"-a", fmt.Sprintf("127.0.0.1:%d", o.dirPort), "-c", certificate,
			"-i", filepath.Join(keys, "authority_identity_key"), "-s", filepath.Join(keys, "authority_signing_key"))
		if err != nil {
			return err
		}
	}
	text, err := os.ReadFile(certificate)
	if err != nil {
		return err
	}
	identity := identityLine.FindSubmatch(text)
	empty := filepath.Join(o.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		return err
	}
	// It wants to know some authority before it makes the keys of one.
	said, err := o.run(ctx, "", p.tor, "--defaults-torrc", "/dev/null", "-f", empty, "--quiet", "--list-fingerprint",
		"--DataDirectory", o.dir, "--Nickname", o.name, "--ORPort", fmt.Sprint(o.orPort),
		"--DirAuthority", "none 127.0.0.1:1 "+strings.Repeat("f", 40))
	if err != nil {
		return err
	}
	fingerprint := fingerprintLine.FindSubmatch(said)
	if identity == nil || fingerprint == nil {
		return fmt.Errorf("%s: its keys are not understood", o.name)
	}
	o.line = fmt.Sprintf("DirAuthority %s orport=%d no-v2 v3ident=%s 127.0.0.1:%d %s",
		o.name, o.orPort, identity[1], o.dirPort, strings.ReplaceAll(string(fingerprint[1]), " ", ""))
	return nil
}

// run returns what a program wrote to its standard output.
func (o *node) run(ctx context.Context, input string, argv ...string) ([]byte, error) {
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
