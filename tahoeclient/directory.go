package tahoeclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Child is one entry of a directory.
type Child struct {
	// Cap is the strongest capability that is known: to write if there is
	// one, else to read. In a listing it is zero if the entry has none that
	// ParseCap accepts; a directory keeps whatever was put into it.
	Cap Cap

	// Metadata is any JSON object. nil leaves what is there. Directories add
	// a key "tahoe" with the times of linking.
	Metadata map[string]any
}

// MakeDir creates a mutable directory with children and returns its write
// capability. There must be a child: writing into an empty directory is not
// safe with two writers. If the answer gets lost, so is the new directory:
// MakeDir is never repeated by itself.
func (c *Client) MakeDir(ctx context.Context, children map[string]Child) (Cap, error) {
	const op = "making a directory"
	if len(children) == 0 {
		return Cap{}, fmt.Errorf("%s: it must not start empty", op)
	}
	body, err := encodeChildren(op, children)
	if err != nil {
		return Cap{}, err
	}
	r := request{op: op, method: http.MethodPost, url: uri(Cap{}, url.Values{"t": {"mkdir-with-children"}})}
	answer, err := c.call(ctx, r, body, maxAnswer, 0)
	if err != nil {
		return Cap{}, err
	}
	dir, err := ParseCap(strings.TrimSpace(string(answer)))
	if err != nil || !dir.IsDirectory() || !dir.CanWrite() {
		return Cap{}, nonsense(op, "no capability of a directory to write")
	}
	return dir, nil
}

// ReadDir lists a directory. Entries that make no sense are listed too, with a
// zero Cap; names may be anything.
func (c *Client) ReadDir(ctx context.Context, dir Cap) (map[string]Child, error) {
	const op = "reading a directory"
	if !dir.IsDirectory() || !dir.CanRead() {
		return nil, fmt.Errorf("%s: %w: %v is not a directory to read", op, ErrBadCap, dir)
	}
	kind, node, err := c.node(ctx, op, dir)
	if err != nil {
		return nil, err
	}
	if kind != "dirnode" || node.Children == nil {
		return nil, nonsense(op, "not a directory")
	}
	children := make(map[string]Child, len(node.Children))
	for name, data := range node.Children {
		children[name] = decodeChild(data)
	}
	return children, nil
}

// Description is what the gateway says about a capability.
type Description struct {
	Type                        string // "filenode", "dirnode" or "unknown"
	ReadWrite, ReadOnly, Verify Cap    // zero where there is none
	Mutable                     bool
	Format                      string // of a file: "CHK", "SDMF" or "MDMF"
	Size                        int64  // of a file; -1 if the gateway does not know
}

// Describe asks the gateway what a capability is. For immutable files it
// answers from the capability alone.
func (c *Client) Describe(ctx context.Context, at Cap) (Description, error) {
	const op = "describing a capability"
	if at.IsZero() {
		return Description{}, fmt.Errorf("%s: %w: there is none", op, ErrBadCap)
	}
	kind, node, err := c.node(ctx, op, at)
	if err != nil {
		return Description{}, err
	}
	d := Description{Type: word(kind), Mutable: node.Mutable, Format: word(node.Format), Size: -1}
	if node.Size != nil {
		d.Size = *node.Size
	}
	// What does not parse is as good as absent.
	d.ReadWrite, _ = ParseCap(node.ReadWrite)
	d.ReadOnly, _ = ParseCap(node.ReadOnly)
	d.Verify, _ = ParseCap(node.Verify)
	return d, nil
}

// wireNode is Tahoe's JSON of a file, a directory or an entry.
type wireNode struct {
	ReadWrite string                     `json:"rw_uri,omitempty"`
	ReadOnly  string                     `json:"ro_uri,omitempty"`
	Verify    string                     `json:"verify_uri,omitempty"`
	Mutable   bool                       `json:"mutable,omitempty"`
	Format    string                     `json:"format,omitempty"`
	Size      *int64                     `json:"size,omitempty"`
	Metadata  any                        `json:"metadata,omitempty"` // any: an empty object is not nothing
	Children  map[string]json.RawMessage `json:"children,omitempty"`
}

func (c *Client) node(ctx context.Context, op string, at Cap) (kind string, node wireNode, err error) {
	r := request{op: op, method: http.MethodGet, url: uri(at, url.Values{"t": {"json"}})}
	var data []byte
	err = c.retry(ctx, op, func() error {
		data, err = c.call(ctx, r, nil, maxJSON, 0)
		return err
	})
	if err != nil {
		return "", wireNode{}, err
	}
	kind, node, ok := decodeNode(data)
	if !ok {
		return "", wireNode{}, nonsense(op, "not what Tahoe says about a capability")
	}
	return kind, node, nil
}

// decodeNode reads ["kind", {...}].
func decodeNode(data []byte) (kind string, node wireNode, ok bool) {
	var pair []json.RawMessage
	if json.Unmarshal(data, &pair) != nil || len(pair) != 2 {
		return "", wireNode{}, false
	}
	ok = json.Unmarshal(pair[0], &kind) == nil && json.Unmarshal(pair[1], &node) == nil
	return kind, node, ok
}

func decodeChild(data []byte) Child {
	_, node, ok := decodeNode(data)
	if !ok {
		return Child{}
	}
	var child Child
	child.Metadata, _ = node.Metadata.(map[string]any)
	text := node.ReadWrite
	if text == "" {
		text = node.ReadOnly
	}
	child.Cap, _ = ParseCap(text)
	return child
}

// encodeChildren writes children as Tahoe reads them, and checks them: the
// gateway would link garbage without a word.
func encodeChildren(op string, children map[string]Child) ([]byte, error) {
	wire := make(map[string][2]any, len(children))
	for name, child := range children {
		if err := checkName(op, name); err != nil {
			return nil, err
		}
		node, err := encodeChild(child)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", op, name, err)
		}
		kind := "filenode"
		if child.Cap.IsDirectory() {
			kind = "dirnode"
		}
		wire[name] = [2]any{kind, node}
	}
	body, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("%s: metadata: %w", op, err)
	}
	return body, nil
}

func encodeChild(child Child) (wireNode, error) {
	var node wireNode
	readOnly, err := child.Cap.ReadOnly()
	if err != nil {
		return node, err
	}
	node.ReadOnly = readOnly.Secret()
	if child.Cap.CanWrite() {
		node.ReadWrite = child.Cap.Secret()
	}
	if child.Metadata != nil {
		node.Metadata = child.Metadata
	}
	return node, nil
}

const maxName = 255 // bytes; it also travels in URLs, which the gateway bounds

// checkName accepts only names that no step of the way can change or misread:
// Tahoe normalizes Unicode, and names stand in URLs.
func checkName(op, name string) error {
	if name == "" || len(name) > maxName || name == "." || name == ".." {
		return fmt.Errorf("%s: %q cannot be a name", op, cut(name, maxName))
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' || name[i] == '/' {
			return fmt.Errorf("%s: %q cannot be a name: only printable ASCII, without a slash", op, name)
		}
	}
	return nil
}
