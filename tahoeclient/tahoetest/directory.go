package tahoetest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"hiddenbackup/tahoeclient"
)

// directory is one mutable directory.
type directory struct {
	write    tahoeclient.Cap
	children map[string]entry
	history  []map[string]entry // what it was before each update
	shares   shares
	encoding encoding
	leases   int
}

// entry is what stands in a directory under a name.
type entry struct {
	ReadWrite string
	ReadOnly  string
	Metadata  json.RawMessage // an object
}

// wireNode is the JSON of a node, in requests and in answers.
type wireNode struct {
	Mutable   *bool           `json:"mutable,omitempty"`
	Format    string          `json:"format,omitempty"`
	Size      *int64          `json:"size,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	ReadWrite string          `json:"rw_uri,omitempty"`
	ReadOnly  string          `json:"ro_uri,omitempty"`
	Verify    string          `json:"verify_uri,omitempty"`
	Children  any             `json:"children,omitempty"` // any: none is not nothing
}

func (x *exchange) parseChildren() (map[string]wireNode, bool) {
	var pairs map[string][]json.RawMessage
	if json.Unmarshal(x.body, &pairs) != nil {
		x.traceback("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)")
		return nil, false
	}
	nodes := make(map[string]wireNode, len(pairs))
	for name, pair := range pairs {
		var node wireNode
		if len(pair) != 2 || json.Unmarshal(pair[1], &node) != nil {
			x.traceback("builtins.ValueError: not enough values to unpack (expected 2, got 1)")
			return nil, false
		}
		nodes[name] = node
	}
	return nodes, true
}

func (x *exchange) makeDir() {
	nodes, ok := x.parseChildren()
	if !ok {
		return
	}
	g := x.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.servers.connected == 0 {
		x.traceback("allmydata.mutable.common.NotEnoughServersError: ('Ran out of non-bad servers, first_error=None', None)")
		return
	}
	text := "URI:DIR2:" + base32Lower.EncodeToString(randomBytes(16)) + ":" + base32Lower.EncodeToString(randomBytes(32))
	write, err := tahoeclient.ParseCap(text)
	if err != nil {
		panic(err)
	}
	d := &directory{write: write, children: map[string]entry{}, shares: shares{}, encoding: g.encoding}
	for name, node := range nodes {
		metadata := node.Metadata
		if metadata == nil {
			metadata = json.RawMessage("{}")
		}
		d.children[name] = newEntry(node, metadata)
	}
	g.dirs[index(write)] = d
	g.written(d)
	io.WriteString(x.w, text)
}

func newEntry(node wireNode, metadata json.RawMessage) entry {
	e := entry{node.ReadWrite, node.ReadOnly, metadata}
	// A capability to write is one wherever it is put.
	if c, err := tahoeclient.ParseCap(e.ReadOnly); err == nil && c.CanWrite() {
		e.ReadWrite = e.ReadOnly
	}
	if c, err := tahoeclient.ParseCap(e.ReadWrite); err == nil {
		readOnly, err := c.ReadOnly()
		if err == nil {
			e.ReadOnly = readOnly.Secret()
		}
		if !c.CanWrite() {
			e.ReadWrite = ""
		}
	}
	return e
}

// written spreads the shares of a new version over the connected servers.
func (g *Gateway) written(d *directory) {
	clear(d.shares)
	g.place(d.shares)
	d.leases++
}

// find returns the directory that is asked for if it can be read, or answers
// why not. asJSON is how t=json says so.
func (x *exchange) find(asJSON bool) *directory {
	const gone = "UnrecoverableFileError: the directory (or mutable file) could not be retrieved, because there " +
		"were insufficient good shares. This might indicate that no servers were connected, insufficient servers " +
		"were connected, the URI was corrupt, or that shares have been lost due to server departure, hard drive " +
		"failure, or disk corruption. You should perform a filecheck on this object to learn more."
	d := x.g.dirs[index(x.cap)]
	// The write key must be the right one, and so must be the fingerprint.
	if d != nil && d.allows(x.cap) && x.g.good(d.shares) >= d.encoding.needed {
		return d
	}
	if asJSON {
		x.json(http.StatusGone, map[string]string{"error": gone})
	} else {
		x.plain(http.StatusGone, gone)
	}
	return nil
}

func (d *directory) allows(c tahoeclient.Cap) bool {
	readOnly, err := d.write.ReadOnly()
	return c == d.write || (err == nil && c == readOnly)
}

// describe answers t=json.
func (x *exchange) describe() {
	g := x.g
	switch {
	case x.cap.Kind() == tahoeclient.KindCHKVerifier:
		x.traceback("builtins.AttributeError: 'CiphertextFileNode' object has no attribute 'get_write_uri'")
		return
	case x.cap.IsZero() || !x.cap.CanRead():
		x.json(http.StatusOK, []any{"unknown", wireNode{}})
		return
	case !x.cap.IsDirectory():
		x.json(http.StatusOK, []any{"filenode", node(x.cap)})
		return
	}
	g.mu.Lock()
	d := x.find(true)
	var children map[string]entry // never changed, only replaced
	if d != nil {
		children = d.children
	}
	g.mu.Unlock()
	if d == nil {
		return
	}
	list := make(map[string]any, len(children))
	for name, e := range children {
		list[name] = e.wire(x.cap.CanWrite())
	}
	n := node(x.cap)
	n.Children = list
	x.json(http.StatusOK, []any{"dirnode", n})
}

// wire is the entry as a listing shows it. Who may only read the directory
// may only read its children.
func (e entry) wire(canWrite bool) []any {
	text := e.ReadWrite
	if text == "" || !canWrite {
		text = e.ReadOnly
	}
	c, err := tahoeclient.ParseCap(text)
	if err != nil {
		n := wireNode{Metadata: e.Metadata}
		if text != "" {
			n.ReadOnly = "ro." + text
		}
		return []any{"unknown", n}
	}
	n := node(c)
	n.Metadata = e.Metadata
	if c.IsDirectory() {
		return []any{"dirnode", n}
	}
	return []any{"filenode", n}
}

// node is what can be said about a capability from itself.
func node(c tahoeclient.Cap) wireNode {
	mutable := c.IsMutable()
	n := wireNode{Mutable: &mutable}
	if !c.IsDirectory() {
		n.Format = "CHK"
		switch c.Kind() {
		case tahoeclient.KindSSK, tahoeclient.KindSSKRO:
			n.Format = "SDMF"
		case tahoeclient.KindMDMF, tahoeclient.KindMDMFRO:
			n.Format = "MDMF"
		}
		if size, ok := c.Size(); ok {
			n.Size = &size
		}
	}
	if c.CanWrite() {
		n.ReadWrite = c.Secret()
	}
	if readOnly, err := c.ReadOnly(); err == nil {
		n.ReadOnly = readOnly.Secret()
	}
	if verify, err := c.Verifier(); err == nil {
		n.Verify = verify.Secret()
	}
	return n
}

func (x *exchange) setChildren() {
	nodes, ok := x.parseChildren()
	if !ok {
		return
	}
	g := x.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if !x.cap.CanWrite() {
		x.traceback("builtins.AssertionError: ")
		return
	}
	d := x.find(false)
	if d == nil {
		return
	}
	if x.r.URL.Query().Get("replace") == "false" {
		for name := range nodes {
			if _, taken := d.children[name]; taken {
				x.plain(http.StatusConflict, "There was already a child by that name, and you asked me to not replace it.")
				return
			}
		}
	}
	next := maps.Clone(d.children)
	for name, n := range nodes {
		next[name] = newEntry(n, linkedMetadata(next[name].Metadata, n.Metadata))
	}
	g.update(d, next)
	io.WriteString(x.w, "Okay so I did it.")
}

func (g *Gateway) update(d *directory, next map[string]entry) {
	d.history = append(d.history, d.children)
	d.children = next
	g.written(d)
}

// linkedMetadata replaces all of old metadata but the time of first linking;
// without new metadata it keeps it.
func linkedMetadata(old, given json.RawMessage) json.RawMessage {
	var was, is map[string]any
	json.Unmarshal(old, &was)
	json.Unmarshal(given, &is)
	if is == nil {
		is = maps.Clone(was)
	}
	if is == nil {
		is = map[string]any{}
	}
	now := float64(time.Now().UnixMicro()) / 1e6
	times := map[string]any{"linkcrtime": now, "linkmotime": now}
	if before, ok := was["tahoe"].(map[string]any); ok && before["linkcrtime"] != nil {
		times["linkcrtime"] = before["linkcrtime"]
	}
	is["tahoe"] = times
	text, err := json.Marshal(is)
	if err != nil {
		panic(err)
	}
	return text
}

func (x *exchange) unlink() {
	g := x.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if !x.cap.CanWrite() {
		x.plain(http.StatusInternalServerError, "Traceback (most recent call last):\nFailure: allmydata.mutable.common.NotWriteableError: \n")
		return
	}
	d := x.find(false)
	if d == nil {
		return
	}
	name := x.r.URL.Query().Get("name")
	if _, there := d.children[name]; !there {
		x.plain(http.StatusNotFound, fmt.Sprintf("No such child: %s", name))
		return
	}
	next := maps.Clone(d.children)
	delete(next, name)
	g.update(d, next)
	io.WriteString(x.w, "thing unlinked")
}
