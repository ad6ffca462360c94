package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"

	"hiddenbackup/tahoeclient"
)

const legacyType = "TahoeLAFSBackupManifest"

// The first hidden-tahoe-backup wrote these three numbers into every gateway it made; its
// manifest does not hold them.
const (
	legacyNeeded = 3
	legacyHappy  = 6
	legacyTotal  = 6
)

// Legacy is what a manifest of the first hidden-tahoe-backup says, checked as our own are.
type Legacy struct {
	Name, Description string
	// Grid has the servers and introducers that can still be reached. A server's true id is not
	// in the file: ID is made from its tub id, and Seed is the tub id, as Tahoe used it then.
	Grid Grid
	// Unreachable names the servers and introducers whose only addresses are version 2 onion
	// services, which Tor gave up in 2021.
	Unreachable []string
	Directories []LegacyDirectory
	Targets     []LegacyTarget
}

// LegacyDirectory is a Tahoe directory with the name its owner gave it.
type LegacyDirectory struct {
	Alias string
	Cap   tahoeclient.Cap
}

// LegacyTarget is a local directory and where "tahoe backup" put it.
type LegacyTarget struct {
	Alias    string          // one of Directories
	Root     tahoeclient.Cap // its capability
	Remote   []string        // path below Root to the directory with Latest and Archives
	Version  string          // "Latest", or the name of one below Archives
	Path     string          // local; absolute, or ~/
	Excludes []string        // patterns of "tahoe backup --exclude"
}

type legacyDoc struct {
	Type        string `json:"type"`
	Version     int    `json:"version"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Fields      struct {
		IntroducerNodes []string          `json:"introducerNodes"`
		StorageNodes    map[string]string `json:"storageNodes"`
		SnapshotAliases map[string]string `json:"snapshotAliases"`
		Tasks           []struct {
			BackupAlias    string   `json:"backupAlias"`
			RemoteSnapshot string   `json:"remoteSnapshot"`
			RestoreVersion string   `json:"restoreVersion"`
			LocalDirectory string   `json:"localDirectory"`
			Excludes       []string `json:"excludes"`
		} `json:"tasks"`
		// tails_dotfiles is in the example manifest, and nothing ever read it.
	} `json:"fields"`
}

// OpenLegacy reads a file of the first hidden-tahoe-backup: its secretbox file, or its JSON,
// for which the passphrase may be nil. The passphrase counts as typed: that program did not
// normalise it. Its key takes ten to thirty seconds.
func OpenLegacy(data, passphrase []byte) (*Legacy, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("%w: it is larger than 1 MiB", ErrNotManifest)
	}
	if trimmed := bytes.TrimSpace(data); bytes.HasPrefix(trimmed, []byte("{")) {
		return decodeLegacy(trimmed)
	}
	box, ok := legacyBox(data)
	if !ok {
		return nil, fmt.Errorf("%w: it is not base64 of a sealed legacy manifest", ErrNotManifest)
	}
	passphrase = bytes.TrimSuffix(bytes.TrimSuffix(passphrase, []byte("\n")), []byte("\r"))
	if len(passphrase) > maxPassphrase {
		return nil, invalid("the passphrase is longer than %d bytes", maxPassphrase)
	}
	plain, err := openLegacyBox(box, passphrase)
	if err != nil {
		return nil, err
	}
	defer wipe(plain)
	return decodeLegacy(plain)
}

// openLegacyBox tries both keys that program used in its life: the bare SHA-256 of the
// passphrase first, which costs nothing, then scrypt of that.
func openLegacyBox(box, passphrase []byte) ([]byte, error) {
	key := sha256.Sum256(passphrase)
	defer wipe(key[:])
	nonce := [nonceSize]byte(box)
	if plain, ok := secretbox.Open(nil, box[nonceSize:], &nonce, &key); ok {
		return plain, nil
	}
	oneKDF.Lock()
	stretched, err := scrypt.Key(key[:], key[:10], 2048, 20, work.Load().scryptP, 32)
	oneKDF.Unlock()
	if err != nil {
		return nil, fmt.Errorf("deriving the legacy key: %w", err)
	}
	defer wipe(stretched)
	copy(key[:], stretched)
	plain, ok := secretbox.Open(nil, box[nonceSize:], &nonce, &key)
	if !ok {
		return nil, ErrPassphrase
	}
	return plain, nil
}

// legacyBox undoes the base64, which may be folded.
func legacyBox(data []byte) ([]byte, bool) {
	text := bytes.Join(bytes.Fields(data), nil)
	box := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(box, text)
	if err != nil || n < nonceSize+secretbox.Overhead+2 {
		return nil, false
	}
	return box[:n], true
}

// looksLegacy cannot take a sealed file for a legacy one: 2048 random bytes are not all base64.
func looksLegacy(data []byte) bool {
	trimmed := bytes.TrimSpace(data)
	if bytes.HasPrefix(trimmed, []byte("{")) {
		return bytes.Contains(trimmed, []byte(legacyType))
	}
	_, ok := legacyBox(trimmed)
	return ok
}

func decodeLegacy(data []byte) (*Legacy, error) {
	if err := checkJSON(data, maxPlain, func(string) bool { return true }); err != nil {
		return nil, err
	}
	// Unknown fields pass: people wrote these files by hand.
	var d legacyDoc
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, jsonError(err)
	}
	if d.Type != legacyType {
		return nil, fmt.Errorf("%w: its type is not %q", ErrNotManifest, legacyType)
	}
	if d.Version != 1 {
		return nil, fmt.Errorf("%w: the first hidden-tahoe-backup only made version 1", ErrVersion)
	}
	l := &Legacy{Name: d.Name, Description: d.Description}
	if err := text("the name", d.Name, 0, maxLabel); err != nil {
		return nil, err
	}
	if err := text("the description", d.Description, 0, maxPath); err != nil {
		return nil, err
	}
	for _, step := range []func(*legacyDoc) error{l.readGrid, l.readDirectories, l.readTargets} {
		if err := step(&d); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Legacy) readGrid(d *legacyDoc) error {
	l.Grid = Grid{Needed: legacyNeeded, Happy: legacyHappy, Total: legacyTotal, Network: NetworkTor}
	if len(d.Fields.IntroducerNodes) > maxIntroducers || len(d.Fields.StorageNodes) > maxServers {
		return invalid("it names too many servers or introducers")
	}
	for i, s := range d.Fields.IntroducerNodes {
		name := "introducer-" + strconv.Itoa(i+1)
		furl, ok, err := l.furl(s)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !ok {
			l.Unreachable = append(l.Unreachable, name)
			continue
		}
		l.Grid.Introducers = append(l.Grid.Introducers, Introducer{name, furl})
	}
	seen := make(map[string]bool)
	for i, name := range slices.Sorted(maps.Keys(d.Fields.StorageNodes)) {
		if err := text("a server name", name, 1, maxLabel); err != nil {
			return err
		}
		furl, ok, err := l.furl(d.Fields.StorageNodes[name])
		if err != nil {
			return fmt.Errorf("server %d: %w", i+1, err)
		}
		if !ok {
			l.Unreachable = append(l.Unreachable, name)
			continue
		}
		if seen[furl.TubID()] {
			return invalid("server %d: its tub id is used twice", i+1)
		}
		seen[furl.TubID()] = true
		l.Grid.Servers = append(l.Grid.Servers, Server{
			ID: legacyServerID(furl), Nickname: name, Furl: furl, Seed: furl.TubID(),
		})
	}
	if len(l.Grid.Introducers)+len(l.Grid.Servers) == 0 {
		return nil // nothing to reach; the targets may still be worth reading
	}
	return l.Grid.Validate()
}

// legacyServerID is a stand-in: unique and stable is all that Tahoe asks of it.
func legacyServerID(f Furl) string {
	sum := sha256.Sum256([]byte("hidden-backup legacy server " + f.TubID()))
	return "v0-" + base32Lower.EncodeToString(sum[:])
}

// furl rewrites hints of the form HOST:PORT, from before hints had kinds. That program ran
// Tahoe under torsocks, so open addresses go through Tor. ok is false if no address is left.
func (l *Legacy) furl(s string) (_ Furl, ok bool, err error) {
	// The case of a tub id and of host names did not matter then.
	head, swissnum, found := strings.Cut(strings.TrimPrefix(s, "pb://"), "/")
	tub, hints, found2 := strings.Cut(strings.ToLower(head), "@")
	if !strings.HasPrefix(s, "pb://") || !found || !found2 || len(s) > maxFurl {
		return Furl{}, false, invalid("a furl must look like pb://TUBID@HINT/SWISSNUM")
	}
	var kept []string
	clear := false
	for _, hint := range strings.Split(hints, ",") {
		address := strings.TrimPrefix(strings.TrimPrefix(hint, "tcp:"), "tor:")
		switch {
		case onionAddress(address):
			kept = append(kept, "tor:"+address)
		case onionV2(address):
		case clearAddress(address):
			kept, clear = append(kept, "tcp:"+address), true
		default:
			return Furl{}, false, invalid("a furl holds a connection hint that cannot be read")
		}
	}
	if len(kept) == 0 {
		kept = []string{"tor:dead.onion:1"} // only so that the rest of the grammar is checked
	} else {
		ok = true
	}
	f, err := ParseFurl("pb://" + tub + "@" + strings.Join(kept, ",") + "/" + swissnum)
	if err == nil && clear {
		l.Grid.Network = NetworkTorToClearnet
	}
	return f, ok && err == nil, err
}

func onionV2(address string) bool {
	host, ok := splitPort(address)
	name, onion := strings.CutSuffix(host, ".onion")
	return ok && onion && len(name) == 16
}

func (l *Legacy) readDirectories(d *legacyDoc) error {
	if len(d.Fields.SnapshotAliases) > maxFolders {
		return invalid("it names too many directories")
	}
	for i, alias := range slices.Sorted(maps.Keys(d.Fields.SnapshotAliases)) {
		if err := text("an alias", alias, 1, maxLabel); err != nil {
			return err
		}
		c, err := tahoeclient.ParseCap(strings.TrimSpace(d.Fields.SnapshotAliases[alias]))
		if err != nil || !c.IsDirectory() || !c.CanRead() {
			return invalid("alias %d is not the capability of a directory", i+1)
		}
		l.Directories = append(l.Directories, LegacyDirectory{alias, c})
	}
	return nil
}

func (l *Legacy) readTargets(d *legacyDoc) error {
	if len(d.Fields.Tasks) > maxFolders {
		return invalid("it names too many tasks")
	}
	for i, t := range d.Fields.Tasks {
		where := fmt.Sprintf("task %d", i+1)
		at := slices.IndexFunc(l.Directories, func(dir LegacyDirectory) bool { return dir.Alias == t.BackupAlias })
		if at < 0 {
			return invalid("%s: its alias is not in the list of aliases", where)
		}
		target := LegacyTarget{
			Alias: t.BackupAlias, Root: l.Directories[at].Cap,
			Version: t.RestoreVersion, Path: t.LocalDirectory, Excludes: t.Excludes,
		}
		var err error
		if target.Remote, err = legacyRemote(where, t.RemoteSnapshot); err != nil {
			return err
		}
		// tahoe itself lists old snapshots as Archives/TIME; both spellings were in use.
		target.Version = strings.TrimPrefix(target.Version, "Archives/")
		if target.Version == "" {
			target.Version = "Latest"
		}
		if err := element(where+": the version", target.Version); err != nil {
			return err
		}
		if strings.HasPrefix(target.Path, "/") {
			target.Path = path.Clean(target.Path) // a slash at the end was usual
		}
		target.Path = strings.TrimSuffix(target.Path, "/")
		if t.LocalDirectory == "/" {
			target.Path = "/"
		}
		if err := text(where+": the local directory", target.Path, 1, maxPath); err != nil {
			return err
		}
		if strings.Contains(t.LocalDirectory+"/", "/../") || !cleanPath(target.Path) {
			return invalid("%s: the local directory must be absolute or start with ~/", where)
		}
		if len(target.Excludes) > maxFolders {
			return invalid("%s: too many excludes", where)
		}
		for _, x := range target.Excludes {
			if err := text(where+": an exclude", x, 1, maxPath); err != nil {
				return err
			}
		}
		l.Targets = append(l.Targets, target)
	}
	return nil
}

func legacyRemote(where, s string) ([]string, error) {
	elements := strings.Split(strings.Trim(s, "/"), "/")
	for _, e := range elements {
		if err := element(where+": the remote directory", e); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

func element(what, s string) error {
	if err := text(what, s, 1, maxName); err != nil {
		return err
	}
	if s == "." || s == ".." || strings.Contains(s, "/") {
		return invalid("%s is not a plain name", what)
	}
	return nil
}

// Draft starts a new manifest with what the old one knows: name, grid and folders. Vault,
// RootSecret and Gateway are left for whoever makes the vault on the grid; until then the
// draft does not validate.
func (l *Legacy) Draft() *Manifest {
	m := &Manifest{
		Name: l.Name, Generation: 1, Created: time.Now().UTC().Truncate(time.Second), Grid: l.Grid.clone(),
	}
	if m.Name == "" {
		m.Name = "imported"
	}
	used := make(map[string]bool)
	for _, t := range l.Targets {
		base := t.Remote[len(t.Remote)-1]
		name := base
		for n := 2; used[name]; n++ {
			suffix := "-" + strconv.Itoa(n)
			name = strings.ToValidUTF8(base[:min(len(base), maxName-len(suffix))], "") + suffix
		}
		used[name] = true
		m.Folders = append(m.Folders, Folder{Name: name, Path: t.Path})
	}
	return m
}
