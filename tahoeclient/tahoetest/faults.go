package tahoetest

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"hiddenbackup/tahoeclient"
)

// Op is a kind of request.
type Op string

// The kinds of request a Gateway tells apart.
const (
	OpPut         Op = "put"
	OpGet         Op = "get"
	OpMakeDir     Op = "mkdir"
	OpReadDir     Op = "readdir" // also Client.Describe: it is the same request
	OpSetChildren Op = "setchildren"
	OpUnlink      Op = "unlink"
	OpCheck       Op = "check"
	OpGrid        Op = "grid"
	OpFrontPage   Op = "frontpage"
	OpOther       Op = "other"
)

func identify(method, path, t string, hasCap bool) Op {
	switch {
	case path == "/" && method == http.MethodGet && t == "json":
		return OpGrid
	case path == "/" && method == http.MethodGet:
		return OpFrontPage
	case path == "/uri" && method == http.MethodPut && t == "":
		return OpPut
	case path == "/uri" && method == http.MethodPost && t == "mkdir-with-children":
		return OpMakeDir
	case !hasCap:
		return OpOther
	case method == http.MethodGet && t == "":
		return OpGet
	case method == http.MethodGet && t == "json":
		return OpReadDir
	case method == http.MethodPost && t == "set_children":
		return OpSetChildren
	case method == http.MethodPost && t == "unlink":
		return OpUnlink
	case method == http.MethodPost && t == "check":
		return OpCheck
	}
	return OpOther
}

// rule is a fault for the next few requests of some kinds. A nil rule is none.
type rule struct {
	ops  []Op // empty means all
	left int

	status  int // answer with this status and body
	body    string
	drop    bool            // close the connection
	carry   bool            // status and drop: but carry the request out first
	hang    <-chan struct{} // do not answer before this is closed
	torn    bool            // of a file, send only the first cutAt bytes
	closing bool            // torn: and then close the connection
	silent  bool            // torn: and then say nothing
	cutAt   int64
}

func (r *rule) applies(op Op) bool {
	return r.left > 0 && (len(r.ops) == 0 || slices.Contains(r.ops, op))
}

// match takes the first rule for op, and uses it up by one.
func (g *Gateway) match(op Op) *rule {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rules {
		if r.applies(op) {
			r.left--
			return r
		}
	}
	return nil
}

func (g *Gateway) add(r *rule) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = append(g.rules, r)
}

// before does what the rule demands instead of an answer, and reports that.
func (r *rule) before(x *exchange) bool {
	switch {
	case r == nil || r.carry:
		return false
	case r.hang != nil:
		if !x.hang(r.hang) {
			panic(http.ErrAbortHandler)
		}
	case r.drop:
		panic(http.ErrAbortHandler)
	case r.status != 0:
		x.plain(r.status, r.body)
		return true
	}
	return false
}

func (r *rule) hidesAnswer() bool { return r != nil && r.carry }

// after does what the rule demands once the request was carried out.
func (r *rule) after(x *exchange) {
	switch {
	case r == nil || !r.carry:
	case r.drop:
		panic(http.ErrAbortHandler)
	default:
		for name := range x.w.Header() {
			x.w.Header().Del(name)
		}
		x.plain(r.status, r.body)
	}
}

// Fail answers the next n requests of the given kinds (of all kinds if none is
// given) with an error, without carrying them out.
func (g *Gateway) Fail(n, status int, body string, ops ...Op) {
	g.add(&rule{ops: ops, left: n, status: status, body: body})
}

// FailAfter is Fail, but the requests are carried out all the same.
func (g *Gateway) FailAfter(n, status int, body string, ops ...Op) {
	g.add(&rule{ops: ops, left: n, status: status, body: body, carry: true})
}

// Drop closes the connection of the next n requests of the given kinds, once
// their bodies were read, without carrying them out.
func (g *Gateway) Drop(n int, ops ...Op) { g.add(&rule{ops: ops, left: n, drop: true}) }

// DropAfter is Drop, but the requests are carried out all the same.
func (g *Gateway) DropAfter(n int, ops ...Op) {
	g.add(&rule{ops: ops, left: n, drop: true, carry: true})
}

// Hang lets the next n requests of the given kinds wait for an answer until
// their client gives up. Those still waiting when release is called, and those
// to come, go on as if nothing was. It may be called more than once.
func (g *Gateway) Hang(n int, ops ...Op) (release func()) {
	ch := make(chan struct{})
	r := &rule{ops: ops, left: n, hang: ch}
	g.add(r)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		select {
		case <-ch:
		default:
			close(ch)
			r.left = 0
		}
	}
}

// CutBody lets the next downloads fail after so many bytes, the way real ones
// do: a line of text follows the data, and the connection stays open.
func (g *Gateway) CutBody(after int64, times int) {
	g.add(&rule{ops: []Op{OpGet}, left: times, torn: true, cutAt: after})
}

// CloseBody lets the connection of the next downloads close after so many bytes.
func (g *Gateway) CloseBody(after int64, times int) {
	g.add(&rule{ops: []Op{OpGet}, left: times, torn: true, closing: true, cutAt: after})
}

// HangBody lets the next downloads say nothing any more after so many bytes, as
// they do while a server hangs.
func (g *Gateway) HangBody(after int64, times int) {
	g.add(&rule{ops: []Op{OpGet}, left: times, torn: true, silent: true, cutAt: after})
}

// Behave forgets all faults, but not what they did. Hanging requests keep
// hanging until they are released.
func (g *Gateway) Behave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules, g.delay = nil, 0
}

// Delay lets every request wait before it is carried out. 0 ends that.
func (g *Gateway) Delay(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = d
}

func (g *Gateway) currentDelay() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.delay
}

// LoseObject takes all shares of an object from the servers.
func (g *Gateway) LoseObject(c tahoeclient.Cap) { g.LoseShares(c, 0) }

// LoseShares takes the shares of an object from the servers, but for keep of
// them. It panics if nothing of that capability was stored.
func (g *Gateway) LoseShares(c tahoeclient.Cap, keep int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sharesOf(c)
	for share := range *s {
		if share >= keep {
			delete(*s, share)
		}
	}
}

// Corrupt changes some of the bytes that the gateway gives for a file, in
// every half KiB, as a lying gateway would. A real one never gives anything
// that its servers made up.
func (g *Gateway) Corrupt(c tahoeclient.Cap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.files[index(c)]
	if f == nil {
		panic("tahoetest: no such file was stored")
	}
	data := slices.Clone(f.data)
	for i := 0; i < len(data); i += 512 {
		data[i] ^= 0x01
	}
	f.data = data
}

// CorruptShares damages n shares of an object on their servers, which only a
// check with Verify sees. Reading gets along with it as long as enough others
// are good.
func (g *Gateway) CorruptShares(c tahoeclient.Cap, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sharesOf(c)
	for _, share := range slices.Sorted(maps.Keys(*s)) {
		if n == 0 {
			return
		}
		p := (*s)[share]
		p.corrupt = true
		(*s)[share] = p
		n--
	}
}

// Rollback brings a directory back to what it was so many updates ago, as
// servers that keep old shares could.
func (g *Gateway) Rollback(dir tahoeclient.Cap, updates int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.dirs[index(dir)]
	if d == nil {
		panic("tahoetest: no such directory was made")
	}
	at := max(len(d.history)-updates, 0)
	if at < len(d.history) {
		d.children = d.history[at]
		d.history = d.history[:at]
	}
}

// Counts is what a Gateway has been asked since it was made.
type Counts struct {
	Requests map[Op]int
	BytesIn  map[Op]int64 // bodies of requests
	BytesOut map[Op]int64 // bodies of answers
}

func (g *Gateway) count(op Op, in, out int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &g.counts
	if c.Requests == nil {
		*c = Counts{make(map[Op]int), make(map[Op]int64), make(map[Op]int64)}
	}
	c.Requests[op]++
	c.BytesIn[op] += in
	c.BytesOut[op] += out
}

// Count returns the counts so far of requests that have ended.
func (g *Gateway) Count() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.counts
	return Counts{clone(c.Requests), clone(c.BytesIn), clone(c.BytesOut)}
}

func clone[V any](m map[Op]V) map[Op]V {
	if m == nil {
		return make(map[Op]V)
	}
	return maps.Clone(m)
}

// Object is one immutable file on the grid.
type Object struct {
	Cap  tahoeclient.Cap
	Data []byte // must not be changed
}

// Objects returns all immutable files that were stored, in no order, whether
// their shares still exist or not.
func (g *Gateway) Objects() []Object {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Object, 0, len(g.files))
	for _, f := range g.files {
		all = append(all, Object{f.cap, f.data})
	}
	return all
}

// StoredBytes is the size of all Objects together.
func (g *Gateway) StoredBytes() int64 {
	var n int64
	for _, o := range g.Objects() {
		n += int64(len(o.Data))
	}
	return n
}

// Contains reports whether any stored file, or name or metadata in a
// directory, contains text.
func (g *Gateway) Contains(text string) bool {
	for _, o := range g.Objects() {
		if strings.Contains(string(o.Data), text) {
			return true
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range g.dirs {
		for name, child := range d.children {
			if strings.Contains(name, text) || strings.Contains(string(child.Metadata), text) {
				return true
			}
		}
	}
	return false
}

// Leases is how often a lease of the object was made or renewed.
func (g *Gateway) Leases(c tahoeclient.Cap) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.files[index(c)]; f != nil {
		return f.leases
	}
	if d := g.dirs[index(c)]; d != nil {
		return d.leases
	}
	return 0
}

const tornMark = "problem during download\n"

// sendTorn sends the beginning of data, whose whole length was promised.
func (x *exchange) sendTorn(r *rule, data []byte) {
	x.w.Write(data[:min(r.cutAt, int64(len(data)))])
	if !r.closing && !r.silent {
		// As in a real one, the text may end up beyond what was promised.
		rest := int64(len(data)) - min(r.cutAt, int64(len(data)))
		io.WriteString(x.w, tornMark[:min(int64(len(tornMark)), rest)])
	}
	x.w.flush()
	if r.closing {
		panic(http.ErrAbortHandler)
	}
	x.hang(nil)
}
