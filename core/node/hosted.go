package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hiddenbackup/core/internal/process"
	"hiddenbackup/core/internal/rundir"
)

// HostedConfig says what node to run for others, behind an onion service.
type HostedConfig struct {
	// Dir keeps the node's keys and what it stores. It is ours alone. The node
	// is the same for as long as the directory is kept.
	Dir string

	Introducer bool // it tells of storage nodes and stores nothing itself
	Nickname   string

	Port     int      // on 127.0.0.1, where the onion service leads
	Also     []string // further addresses of this machine to listen on
	Hint     string   // how others reach it: "tor:….onion:PORT"
	TorSocks string   // as in GatewayConfig

	Reserved int64 // bytes of the disk that it leaves free

	// LeaseDays is after how many days without renewal it deletes a share. Zero is never.
	LeaseDays int
}

// Hosted is a node that runs for others. It dies with us, however we end.
type Hosted struct {
	child *process.Process
	cfg   HostedConfig
}

// StartHosted returns when the node answers. ctx bounds only the start. The
// caller stops it.
func StartHosted(ctx context.Context, cfg HostedConfig) (*Hosted, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	tahoe, err := FindTahoe()
	if err != nil {
		return nil, err
	}
	if err := rundir.Private(cfg.Dir); err != nil {
		return nil, err
	}
	tac := "tahoe-client.tac" // a storage node is a client as well
	if cfg.Introducer {
		tac = "tahoe-introducer.tac"
	}
	if err := writeFiles(cfg.Dir, map[string][]byte{tac: nil, "tahoe.cfg": hostedINI(cfg)}); err != nil {
		return nil, err
	}
	removeStale(cfg.Dir)
	child, err := process.Start(process.Config{
		Name: "the node",
		Argv: append([]string{"/bin/sh", "-c", practiceWrapper, "tahoe"}, runArguments(tahoe, cfg.Dir)...),
		Env:  process.Environment(cfg.Dir, filepath.Join(cfg.Dir, "tmp")),
		// A node that hangs does not notice that its standard input closed.
		DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return nil, err
	}
	h := &Hosted{child, cfg}
	err = poll(ctx, 50*time.Millisecond, func() (bool, error) {
		select {
		case <-child.Done():
			return false, child.Err()
		default:
		}
		return h.noted(cfg) && h.Answers(), nil
	})
	if err != nil {
		child.Stop()
		return nil, fmt.Errorf("starting the node: %w", startFailure(tahoe, err))
	}
	return h, nil
}

func (c HostedConfig) check() error {
	if !onionHint.MatchString(c.Hint) {
		return badConfig("the address to offer is not an onion service")
	}
	if !socksGrammar.MatchString(c.TorSocks) {
		return badConfig("%q is not a SOCKS endpoint such as tcp:127.0.0.1:9050 or unix:/path", c.TorSocks)
	}
	if c.Port < 1 || c.Port > 65535 || c.Reserved < 0 || c.LeaseDays < 0 {
		return badConfig("port %d, %d bytes to leave free and leases of %d days", c.Port, c.Reserved, c.LeaseDays)
	}
	for _, address := range c.Also {
		if a, err := netip.ParseAddr(address); err != nil || !a.Is4() {
			return badConfig("%q is not an address of this machine to listen on", address)
		}
	}
	if strings.ContainsFunc(c.Nickname, func(r rune) bool { return r < ' ' || r > '~' }) {
		return badConfig("the nickname %q has odd characters", c.Nickname)
	}
	return nil
}

// noted reports whether the node wrote all that others need to know of it.
func (h *Hosted) noted(cfg HostedConfig) bool {
	furl, err := hostedFurl(cfg.Dir, cfg.Introducer)
	if err != nil || !strings.Contains(furl, "@"+cfg.Hint+"/") {
		return false // not yet, or from its last run
	}
	if cfg.Introducer {
		return true
	}
	_, err = HostedServer(cfg.Dir)
	return err == nil
}

// answerWait is long enough for a node that is busy with others.
const answerWait = 3 * time.Second

// Answers asks the node for itself, as its clients begin. A connection alone
// shows little: the kernel takes it also for a node that hangs, and another
// program may have the port. It takes seconds if there is no answer.
func (h *Hosted) Answers() bool {
	select {
	case <-h.child.Done():
		return false
	default:
	}
	furl, err := hostedFurl(h.cfg.Dir, h.cfg.Introducer)
	if err != nil {
		return false
	}
	tub, _, _ := strings.Cut(strings.TrimPrefix(furl, "pb://"), "@")
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(h.cfg.Port), answerWait)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(answerWait))
	if _, err := io.WriteString(conn, "GET /id/"+tub+" HTTP/1.1\r\nUpgrade: TLS/1.0\r\n\r\n"); err != nil {
		return false
	}
	want := "HTTP/1.1 101 " // it has that name, and goes on with TLS
	got := make([]byte, len(want))
	_, err = io.ReadFull(conn, got)
	return err == nil && string(got) == want
}

// Done is closed when the node ended; Err then says why.
func (h *Hosted) Done() <-chan struct{} { return h.child.Done() }

// Err is how the node ended: nil if Stop ended it.
func (h *Hosted) Err() error { return h.child.Err() }

// Tidy removes what the node writes about odd events: it holds addresses of others.
func (h *Hosted) Tidy() { removeIncidents(h.cfg.Dir) }

// Stop ends the node and returns when it is gone.
func (h *Hosted) Stop() { h.child.Stop() }

// hostedINI is a node that listens on this machine, and connects to others,
// if at all, through tor.
func hostedINI(c HostedConfig) []byte {
	port := "tcp:" + strconv.Itoa(c.Port) + ":interface="
	listen := port + "127.0.0.1"
	for _, address := range c.Also {
		listen += "," + port + address
	}
	patience := Tor.patience()
	sections := []iniSection{{"node", [][2]string{
		{"nickname", c.Nickname},
		{"reveal-IP-address", "false"},
		{"tub.port", listen},
		{"tub.location", c.Hint},
		{"tempdir", "tmp"},
		// Of a client that is gone without a word, what it had begun is dropped.
		{"timeout.keepalive", seconds(patience.keepalive)},
		{"timeout.disconnect", seconds(patience.disconnect)},
	}}}
	if !c.Introducer {
		storage := [][2]string{
			{"enabled", "true"},
			{"reserved_space", strconv.FormatInt(c.Reserved, 10)},
			{"force_foolscap", "true"},
		}
		if c.LeaseDays > 0 {
			storage = append(storage, [2]string{"expire.enabled", "true"}, [2]string{"expire.mode", "age"},
				[2]string{"expire.override_lease_duration", strconv.Itoa(c.LeaseDays) + " days"})
		}
		sections = append(sections,
			iniSection{"client", [][2]string{{"force_foolscap", "true"}}}, iniSection{"storage", storage})
	}
	sections = append(sections, iniSection{"connections", [][2]string{{"tcp", "disabled"}}}, torSection(c.TorSocks), notThrough("i2p"))
	return renderINI(sections)
}

// hostedFurl is where the node in dir is reached, as it wrote it in its last run.
func hostedFurl(dir string, introducer bool) (string, error) {
	name := "storage.furl"
	if introducer {
		name = "introducer.furl"
	}
	return readNoted(filepath.Join(dir, "private", name))
}

// HostedServer is the storage node that StartHosted ran in dir, running or
// not. Its furl is a secret.
func HostedServer(dir string) (Server, error) {
	furl, err1 := hostedFurl(dir, false)
	id, err2 := readNoted(filepath.Join(dir, "node.pubkey"))
	seed, err3 := readNoted(filepath.Join(dir, "permutation-seed"))
	if err := errors.Join(err1, err2, err3); err != nil {
		return Server{}, err
	}
	return Server{ID: strings.TrimPrefix(id, "pub-"), Furl: furl, Seed: seed}, nil
}

// HostedIntroducer is the furl of the introducer that StartHosted ran in dir.
func HostedIntroducer(dir string) (furl string, err error) { return hostedFurl(dir, true) }

// HostedUse is how many bytes of disk the shares take that are stored in dir.
func HostedUse(dir string) int64 { return spaceUsed(filepath.Join(dir, "storage", "shares")) }

func readNoted(path string) (string, error) {
	data, err := os.ReadFile(path)
	text := strings.TrimSpace(string(data))
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty", filepath.Base(path))
	}
	if err != nil {
		return "", fmt.Errorf("reading what the node wrote: %w", err)
	}
	return text, nil
}
