package tahoeclient_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

const keyError = "Traceback (most recent call last):\nbuiltins.KeyError: (4, b'x', b'y')\n"

func TestUncertainLink(t *testing.T) {
	tests := []struct {
		name    string
		fault   func(g *tahoetest.Gateway)
		want    error // nil: linked
		updates int   // requests to change the directory
	}{
		{"refused before", func(g *tahoetest.Gateway) { g.Fail(1, 500, keyError, tahoetest.OpSetChildren) }, nil, 2},
		{"lost before", func(g *tahoetest.Gateway) { g.Drop(1, tahoetest.OpSetChildren) }, nil, 2},
		{"done, but said to have failed", func(g *tahoetest.Gateway) { g.FailAfter(1, 500, keyError, tahoetest.OpSetChildren) }, nil, 1},
		{"done, but the answer is lost", func(g *tahoetest.Gateway) { g.DropAfter(1, tahoetest.OpSetChildren) }, nil, 1},
		{"two writers collided", func(g *tahoetest.Gateway) {
			g.Fail(2, 500, "Traceback:\nallmydata.mutable.common.UncoordinatedWriteError: x", tahoetest.OpSetChildren)
		}, nil, 3},
		{"never", func(g *tahoetest.Gateway) { g.Drop(100, tahoetest.OpSetChildren) }, tahoeclient.ErrNotAnswering, 4},
		{"refused for good", func(g *tahoetest.Gateway) { g.Fail(100, 400, "no", tahoetest.OpSetChildren) }, &tahoeclient.Error{}, 1},
		{"nothing can be read back", func(g *tahoetest.Gateway) {
			g.Drop(100, tahoetest.OpSetChildren, tahoetest.OpReadDir)
		}, tahoeclient.ErrNotAnswering, 1},
	}
	for _, replace := range []bool{true, false} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				g := tahoetest.NewGateway(t)
				c := g.Client(t)
				dir := makeDir(t, c, "a")
				file := put(t, c, tahoetest.Bytes(7, 100))
				tt.fault(g)
				err := c.Link(testContext(t), dir, "b", file, replace)
				if n := g.Count().Requests[tahoetest.OpSetChildren]; n != tt.updates {
					t.Errorf("%d updates, want %d", n, tt.updates)
				}
				switch want := tt.want.(type) {
				case nil:
					if err != nil {
						t.Fatal(err)
					}
				case *tahoeclient.Error:
					if err == nil {
						t.Error("linked")
					}
				default:
					wantError(t, err, want)
				}
				g.Behave()
				children, err := c.ReadDir(testContext(t), dir)
				if err != nil {
					t.Fatal(err)
				}
				if linked := children["b"].Cap == file; linked != (tt.want == nil) {
					t.Errorf("linked is %v", linked)
				}
			})
		}
	}
}

// The first attempt is carried out late, after the directory was read back:
// the refusal of the second is its echo.
func TestLateLinkIsNoConflict(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	dir, file := makeDir(t, c, "a"), put(t, c, tahoetest.Bytes(7, 100))
	other := g.Client(t)
	g.Drop(1, tahoetest.OpSetChildren)
	late := &lateLogger{act: func() {
		if err := other.Link(context.Background(), dir, "b", file, false); err != nil {
			t.Error(err)
		}
	}}
	c = client(t, g.Socket(), tahoeclient.Options{Logger: late.logger()})
	if err := c.Link(testContext(t), dir, "b", file, false); err != nil {
		t.Errorf("linked, but %v", err)
	}
	if !late.acted {
		t.Error("the test tested nothing")
	}
}

func TestConflictWithAnotherWriter(t *testing.T) {
	g := tahoetest.NewGateway(t)
	dir := makeDir(t, g.Client(t), "a")
	ours, theirs := put(t, g.Client(t), tahoetest.Bytes(7, 100)), put(t, g.Client(t), tahoetest.Bytes(8, 100))
	other := g.Client(t)
	g.Drop(1, tahoetest.OpSetChildren)
	late := &lateLogger{act: func() {
		if err := other.Link(context.Background(), dir, "b", theirs, false); err != nil {
			t.Error(err)
		}
	}}
	c := client(t, g.Socket(), tahoeclient.Options{Logger: late.logger()})
	wantError(t, c.Link(testContext(t), dir, "b", ours, false), tahoeclient.ErrConflict)
	children, err := c.ReadDir(testContext(t), dir)
	if err != nil || children["b"].Cap != theirs {
		t.Errorf("%v, %v", children["b"].Cap, err)
	}
}

// Half of an update is someone else's doing; going on would hide that.
func TestHalfAnUpdateIsAnError(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	dir, file := makeDir(t, c, "a"), put(t, c, tahoetest.Bytes(7, 100))
	if err := c.Link(testContext(t), dir, "b", file, false); err != nil {
		t.Fatal(err)
	}
	g.Drop(1, tahoetest.OpSetChildren)
	err := c.SetChildren(testContext(t), dir, map[string]tahoeclient.Child{"b": {Cap: file}, "c": {Cap: file}}, true)
	wantError(t, err, tahoeclient.ErrNotAnswering)
	// With other metadata it is another child.
	g.Drop(1, tahoetest.OpSetChildren)
	err = c.SetChildren(testContext(t), dir, map[string]tahoeclient.Child{"b": {Cap: file, Metadata: map[string]any{"n": 1}}}, true)
	if err != nil {
		t.Fatal(err)
	}
	children, err := c.ReadDir(testContext(t), dir)
	if err != nil || children["b"].Metadata["n"] != 1.0 {
		t.Errorf("%v, %v", children["b"], err)
	}
}

func TestUncertainUnlink(t *testing.T) {
	tests := []struct {
		name    string
		fault   func(g *tahoetest.Gateway)
		updates int
	}{
		{"lost before", func(g *tahoetest.Gateway) { g.Drop(1, tahoetest.OpUnlink) }, 2},
		{"done, but the answer is lost", func(g *tahoetest.Gateway) { g.DropAfter(1, tahoetest.OpUnlink) }, 1},
		{"done, but said to have failed", func(g *tahoetest.Gateway) { g.FailAfter(1, 500, keyError, tahoetest.OpUnlink) }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tahoetest.NewGateway(t)
			c := g.Client(t)
			dir := makeDir(t, c, "a", "b2")
			tt.fault(g)
			if err := c.Unlink(testContext(t), dir, "a"); err != nil {
				t.Error(err)
			}
			if n := g.Count().Requests[tahoetest.OpUnlink]; n != tt.updates {
				t.Errorf("%d updates, want %d", n, tt.updates)
			}
			children, err := c.ReadDir(testContext(t), dir)
			if _, there := children["a"]; err != nil || there || len(children) != 1 {
				t.Errorf("%v, %v", children, err)
			}
		})
	}
}

func TestMakeDirIsNeverRepeated(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file := put(t, c, []byte("x"))
	g.DropAfter(1, tahoetest.OpMakeDir)
	_, err := c.MakeDir(testContext(t), map[string]tahoeclient.Child{"a": {Cap: file}})
	wantError(t, err, tahoeclient.ErrNotAnswering)
	if n := g.Count().Requests[tahoetest.OpMakeDir]; n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestNamesThatCouldBeMisread(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	dir, file := makeDir(t, c, "a"), put(t, c, []byte("x"))
	before := g.Count().Requests
	for _, name := range []string{"", ".", "..", "a/b", "/", "ü", "a\nb", "a\x00", "\x7f", "a\u202eb", strings.Repeat("x", 256), "\xff"} {
		child := map[string]tahoeclient.Child{name: {Cap: file}}
		if err := c.Link(testContext(t), dir, name, file, true); err == nil {
			t.Errorf("%q was linked", name)
		}
		if err := c.Unlink(testContext(t), dir, name); err == nil {
			t.Errorf("%q was unlinked", name)
		}
		if _, err := c.MakeDir(testContext(t), child); err == nil {
			t.Errorf("%q was made", name)
		}
	}
	after := g.Count().Requests
	if after[tahoetest.OpSetChildren] != before[tahoetest.OpSetChildren] || after[tahoetest.OpMakeDir] != before[tahoetest.OpMakeDir] {
		t.Error("the gateway was asked")
	}
}

func TestChildrenThatAreNone(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	dir := makeDir(t, c, "a")
	verifier, err := put(t, c, tahoetest.Bytes(7, 100)).Verifier()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []tahoeclient.Cap{{}, verifier} {
		wantError(t, c.Link(testContext(t), dir, "b", bad, true), tahoeclient.ErrBadCap)
		_, err := c.MakeDir(testContext(t), map[string]tahoeclient.Child{"b": {Cap: bad}})
		wantError(t, err, tahoeclient.ErrBadCap)
	}
	for _, at := range []tahoeclient.Cap{{}, verifier, put(t, c, []byte("x"))} {
		wantError(t, c.Link(testContext(t), at, "b", put(t, c, []byte("x")), true), tahoeclient.ErrBadCap)
		wantError(t, c.Unlink(testContext(t), at, "b"), tahoeclient.ErrBadCap)
		_, err := c.ReadDir(testContext(t), at)
		wantError(t, err, tahoeclient.ErrBadCap)
	}
	if err := c.SetChildren(testContext(t), dir, map[string]tahoeclient.Child{"b": {Cap: put(t, c, nil), Metadata: map[string]any{"f": func() {}}}}, true); err == nil {
		t.Error("metadata that is no JSON was taken")
	}
}

// Other programs may have put anything into a directory.
func TestOddChildrenAreListed(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	dir := makeDir(t, c, "a")
	odd := `{"garbage": ["filenode", {"ro_uri": "rubbish", "metadata": {"n": 1}}], "nothing": ["x", {}], "grün/\u0000": ["filenode", {"ro_uri": "URI:LIT:nbswy3dp"}]}`
	raw := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", g.Socket()) },
	}}
	defer raw.CloseIdleConnections()
	resp, err := raw.Post("http://gateway/uri/"+url.QueryEscape(dir.Secret())+"?t=set_children", "", strings.NewReader(odd))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	children, err := c.ReadDir(testContext(t), dir)
	if err != nil || len(children) != 4 {
		t.Fatalf("%v, %v", children, err)
	}
	if !children["garbage"].Cap.IsZero() || children["garbage"].Metadata["n"] != 1.0 || !children["nothing"].Cap.IsZero() {
		t.Errorf("%v", children)
	}
	if children["grün/\x00"].Cap.Secret() != "URI:LIT:nbswy3dp" || children["a"].Cap.IsZero() {
		t.Errorf("%v", children)
	}
}
