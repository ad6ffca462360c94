package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"hiddenbackup/tahoeclient"
)

const (
	plainType    = "hidden-backup-manifest"
	plainVersion = 1
	maxPlain     = 64 << 10
	maxDepth     = 8 // the format needs four
)

// document is the plain form. Its fields and their order are the format: the seal's dictionary
// follows them.
type document struct {
	Type       string      `json:"type"`
	Version    int         `json:"version"`
	Power      Power       `json:"power"`
	Name       string      `json:"name"`
	Generation uint64      `json:"generation"`
	Created    string      `json:"created"`
	Grid       gridDoc     `json:"grid"`
	Vault      string      `json:"vault"`
	RootSecret string      `json:"root_secret,omitempty"`
	CareKey    string      `json:"care_key,omitempty"`
	Gateway    *gatewayDoc `json:"gateway,omitempty"`
	Folders    []folderDoc `json:"folders"`
	Pin        *pinDoc     `json:"pin,omitempty"`
}

type gridDoc struct {
	Network     Network         `json:"network"`
	Needed      int             `json:"needed"`
	Happy       int             `json:"happy"`
	Total       int             `json:"total"`
	Introducers []introducerDoc `json:"introducers"`
	Servers     []serverDoc     `json:"servers"`
}

type introducerDoc struct {
	Name string `json:"name"`
	Furl string `json:"furl"`
}

type serverDoc struct {
	ID       string `json:"id"`
	Nickname string `json:"nickname,omitempty"`
	Operator string `json:"operator,omitempty"`
	Place    string `json:"place,omitempty"`
	Furl     string `json:"furl"`
	Seed     string `json:"seed,omitempty"`
	OnionKey string `json:"onion_key,omitempty"`
	Lease    int    `json:"lease_days,omitempty"`
}

type gatewayDoc struct {
	LeaseSecret string `json:"lease_secret"`
	Convergence string `json:"convergence,omitempty"`
}

type folderDoc struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Tier int    `json:"tier,omitempty"`
}

type pinDoc struct {
	Snapshot string `json:"snapshot"`
	Sequence uint64 `json:"sequence"`
}

// EncodePlain returns the plain form of c: indented JSON for the owner's eyes. It reveals
// every secret in c.
func EncodePlain(c Content) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c.plain()); err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	if buf.Len() > maxPlain {
		return nil, invalid("the manifest is larger than %d KiB", maxPlain>>10)
	}
	return buf.Bytes(), nil
}

// DecodePlain reads the plain form strictly. What it returns is valid by grammar; it is still
// the word of whoever wrote the file.
func DecodePlain(data []byte) (*Opened, error) {
	if err := checkJSON(data, maxPlain, plainKey.MatchString); err != nil {
		return nil, err
	}
	if err := checkHead(data); err != nil {
		return nil, err
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, jsonError(err)
	}
	if d.Power == PowerCaretaker {
		c, err := d.caretaker()
		if err != nil {
			return nil, err
		}
		return &Opened{Power: PowerCaretaker, Caretaker: c}, nil
	}
	if d.CareKey != "" {
		return nil, invalid("only a caretaker's file holds a care key")
	}
	r, err := d.reader()
	if err != nil {
		return nil, err
	}
	if d.Power == PowerReader {
		if d.Gateway != nil {
			return nil, invalid("a reader manifest must not hold gateway secrets")
		}
		if err := r.Validate(); err != nil {
			return nil, err
		}
		return &Opened{Power: PowerReader, Reader: r}, nil
	}
	m, err := d.owner(r)
	if err != nil {
		return nil, err
	}
	if r, err = m.Reader(); err != nil {
		return nil, err
	}
	return &Opened{Power: PowerOwner, Reader: r, Owner: m}, nil
}

// DecodeGrid reads the "grid" part of a plain manifest by itself, as strictly: what somebody
// who runs a grid hands to its users.
func DecodeGrid(data []byte) (Grid, error) {
	if err := checkJSON(data, maxPlain, plainKey.MatchString); err != nil {
		return Grid{}, err
	}
	var d gridDoc
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Grid{}, jsonError(err)
	}
	g, err := d.grid()
	if err != nil {
		return Grid{}, err
	}
	return g, g.Validate()
}

// checkHead looks at what decides whether this program can read the rest at all, so that a
// newer manifest is named as such and not as a list of unknown fields.
func checkHead(data []byte) error {
	var head struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
		Power   Power  `json:"power"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return jsonError(err)
	}
	switch {
	case head.Type != plainType:
		return fmt.Errorf("%w: its type is not %q", ErrNotManifest, plainType)
	case head.Version > plainVersion:
		return fmt.Errorf("%w: it has version %d, this program knows version %d", ErrVersion, head.Version, plainVersion)
	case head.Version < 1:
		return invalid("the version is missing")
	}
	switch head.Power {
	case PowerOwner, PowerReader, PowerCaretaker:
		return nil
	case PowerHolder:
		return fmt.Errorf("%w: this is a holder's copy; it cannot be opened, only kept and checked", ErrPower)
	}
	return fmt.Errorf("%w: the power it names is not known", ErrPower)
}

func (m *Manifest) plain() document {
	d := m.readSide().plain()
	d.Power = PowerOwner
	d.Gateway = &gatewayDoc{m.Gateway.LeaseSecret.Base32(), m.Gateway.Convergence.Base32()}
	return d
}

func (r *Reader) plain() document {
	d := document{
		Type: plainType, Version: plainVersion, Power: PowerReader,
		Name: r.Name, Generation: r.Generation,
		Created: r.Created.UTC().Format(time.RFC3339),
		Grid:    r.Grid.doc(),
		Vault:   r.Vault.Secret(), RootSecret: r.RootSecret.Base32(), Folders: []folderDoc{},
	}
	for _, f := range r.Folders {
		d.Folders = append(d.Folders, folderDoc(f))
	}
	if r.Pin != nil {
		d.Pin = &pinDoc{r.Pin.Snapshot.Secret(), r.Pin.Sequence}
	}
	return d
}

func (g Grid) doc() gridDoc {
	d := gridDoc{
		Network: g.Network, Needed: g.Needed, Happy: g.Happy, Total: g.Total,
		Introducers: []introducerDoc{}, Servers: []serverDoc{},
	}
	for _, in := range g.Introducers {
		d.Introducers = append(d.Introducers, introducerDoc{in.Name, in.Furl.Secret()})
	}
	for _, s := range g.Servers {
		doc := serverDoc{
			ID: s.ID, Nickname: s.Nickname, Operator: s.Operator, Place: s.Place,
			Furl: s.Furl.Secret(), Seed: s.Seed, Lease: s.LeaseDays,
		}
		if !s.OnionKey.IsZero() {
			doc.OnionKey = s.OnionKey.Base32()
		}
		d.Servers = append(d.Servers, doc)
	}
	return d
}

// reader reads the fields both powers have; the caller validates.
func (d *document) reader() (*Reader, error) {
	r := &Reader{Name: d.Name, Generation: d.Generation}
	var err error
	if r.Created, err = d.created(); err != nil {
		return nil, err
	}
	if r.Grid, err = d.Grid.grid(); err != nil {
		return nil, err
	}
	if r.Vault, err = parseCap("vault", d.Vault); err != nil {
		return nil, err
	}
	if r.RootSecret, err = parseSecret("root_secret", d.RootSecret); err != nil {
		return nil, err
	}
	for _, f := range d.Folders {
		r.Folders = append(r.Folders, Folder(f))
	}
	if d.Pin != nil {
		r.Pin = &Pin{Sequence: d.Pin.Sequence}
		if r.Pin.Snapshot, err = parseCap("pin.snapshot", d.Pin.Snapshot); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (d *document) created() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, d.Created)
	if err != nil {
		return time.Time{}, invalid("created must be a time like 2026-01-31T12:00:00Z")
	}
	return t.UTC().Truncate(time.Second), nil
}

func (d *document) owner(r *Reader) (*Manifest, error) {
	if d.Gateway == nil {
		return nil, invalid("the gateway secrets are missing")
	}
	m := &Manifest{
		Name: r.Name, Generation: r.Generation, Created: r.Created, Grid: r.Grid,
		Vault: r.Vault, RootSecret: r.RootSecret, Folders: r.Folders, Pin: r.Pin,
	}
	var err error
	if m.Gateway.LeaseSecret, err = parseSecret("gateway.lease_secret", d.Gateway.LeaseSecret); err != nil {
		return nil, err
	}
	if m.Gateway.Convergence, err = parseSecret("gateway.convergence", d.Gateway.Convergence); err != nil {
		return nil, err
	}
	return m, nil
}

func (d *gridDoc) grid() (Grid, error) {
	g := Grid{Network: d.Network, Needed: d.Needed, Happy: d.Happy, Total: d.Total}
	for i, in := range d.Introducers {
		furl, err := ParseFurl(in.Furl)
		if err != nil {
			return Grid{}, fmt.Errorf("introducer %d: %w", i+1, err)
		}
		g.Introducers = append(g.Introducers, Introducer{in.Name, furl})
	}
	for i, doc := range d.Servers {
		s := Server{ID: doc.ID, Nickname: doc.Nickname, Operator: doc.Operator, Place: doc.Place, Seed: doc.Seed, LeaseDays: doc.Lease}
		var err error
		if s.Furl, err = ParseFurl(doc.Furl); err != nil {
			return Grid{}, fmt.Errorf("server %d: %w", i+1, err)
		}
		if doc.OnionKey != "" {
			if s.OnionKey, err = parseSecret(fmt.Sprintf("server %d: onion_key", i+1), doc.OnionKey); err != nil {
				return Grid{}, err
			}
		}
		g.Servers = append(g.Servers, s)
	}
	return g, nil
}

// parseCap drops the parser's reason: it may quote a capability with one mistyped letter.
func parseCap(field, s string) (tahoeclient.Cap, error) {
	c, err := tahoeclient.ParseCap(s)
	if err != nil {
		return tahoeclient.Cap{}, invalid("%s is not a Tahoe capability", field)
	}
	return c, nil
}

var plainKey = regexp.MustCompile(`^[a-z_]{1,32}$`)

// checkJSON refuses what encoding/json would let pass: broken UTF-8, null for any value,
// a key given twice, and keys in another case, which it would match to a field all the same.
func checkJSON(data []byte, largest int, keyOK func(string) bool) error {
	if len(data) > largest {
		return invalid("the text is larger than %d KiB", largest>>10)
	}
	if !utf8.Valid(data) {
		return invalid("the text is not valid UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return jsonErrorAt(data, err)
	}
	return checkValue(json.NewDecoder(bytes.NewReader(data)), keyOK, 0)
}

func checkValue(dec *json.Decoder, keyOK func(string) bool, depth int) error {
	if depth > maxDepth {
		return invalid("the text is nested too deeply")
	}
	tok, err := dec.Token()
	if err != nil {
		return jsonError(err)
	}
	switch tok {
	case nil:
		return invalid("null is not a value here")
	case json.Delim('['):
		for dec.More() {
			if err := checkValue(dec, keyOK, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	case json.Delim('{'):
		seen := make(map[string]bool)
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return jsonError(err)
			}
			name, _ := key.(string)
			if !keyOK(name) {
				return invalid("there is a field this version does not know")
			}
			if seen[name] {
				return invalid("the field %q is there twice", name)
			}
			seen[name] = true
			if err := checkValue(dec, keyOK, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	if err != nil {
		return jsonError(err)
	}
	return nil
}

func jsonErrorAt(data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(int(syntax.Offset), len(data))
		return invalid("line %d is not valid JSON", 1+bytes.Count(data[:at], []byte{'\n'}))
	}
	return jsonError(err)
}

// jsonError keeps field names and drops values, which may be secret.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return invalid("the field %q has a value of the wrong kind", wrong.Field)
	}
	// checkJSON ran before, so a name quoted here is at most a harmless word.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return invalid("the field %s is not known to this version", name)
	}
	return invalid("the text is not valid JSON")
}
