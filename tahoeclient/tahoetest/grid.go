package tahoetest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"hiddenbackup/tahoeclient"
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// servers are numbered; the first ones are connected.
type servers struct{ connected, total int }

// SetServers says how many storage servers there are and how many of them are
// connected. Shares stay where they are.
func (g *Gateway) SetServers(connected, total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.servers = servers{connected, total}
}

// SetEncoding says how the gateway stores from now on.
func (g *Gateway) SetEncoding(needed, happy, total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.encoding = encoding{needed, happy, total}
}

func serverID(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "server %d", n))
	return "v0-" + base32Lower.EncodeToString(sum[:])
}

// placed is one share on a server.
type placed struct {
	server  int
	corrupt bool
}

// shares are the shares of one object, by number.
type shares map[int]placed

// place puts every share that is not on a connected server onto one.
func (g *Gateway) place(s shares) {
	n := g.servers.connected
	for share := range g.encoding.total {
		if p, there := s[share]; n > 0 && (!there || p.server >= n) {
			s[share] = placed{server: share % n}
		}
	}
}

// reachable returns the numbers of the shares on connected servers.
func (g *Gateway) reachable(s shares) []int {
	var numbers []int
	for share, p := range s {
		if p.server < g.servers.connected {
			numbers = append(numbers, share)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// good counts the shares that can be read from.
func (g *Gateway) good(s shares) int {
	n := 0
	for _, share := range g.reachable(s) {
		if !s[share].corrupt {
			n++
		}
	}
	return n
}

// index returns the storage index, which all capabilities of an object share.
func index(c tahoeclient.Cap) string {
	si, _ := c.StorageIndex()
	return si
}

func (g *Gateway) sharesOf(c tahoeclient.Cap) *shares {
	if f := g.files[index(c)]; f != nil {
		return &f.shares
	}
	if d := g.dirs[index(c)]; d != nil {
		return &d.shares
	}
	panic("tahoetest: nothing of that capability was stored")
}

func (x *exchange) gridStatus() {
	type server struct {
		ID       string  `json:"nodeid"`
		Status   string  `json:"connection_status"`
		Space    int64   `json:"available_space"`
		Nickname string  `json:"nickname"`
		Version  *string `json:"version"`
		Received float64 `json:"last_received_data"`
	}
	x.g.mu.Lock()
	known := x.g.servers
	x.g.mu.Unlock()
	version := "tahoe-lafs/1.20.0"
	list := []server{}
	for n := range known.total {
		s := server{
			ID:       serverID(n),
			Status:   fmt.Sprintf("Connected to tcp:127.0.0.1:%d via tcp", 4000+n),
			Space:    75491575296,
			Nickname: fmt.Sprintf("s%d", n+1),
			Version:  &version, // it stays when the connection is lost
			Received: float64(time.Now().UnixNano()) / 1e9,
		}
		if n >= known.connected {
			s.Status = "Reconnecting in 30 seconds (last attempt 2s ago)"
		}
		list = append(list, s)
	}
	x.json(http.StatusOK, map[string]any{
		"introducers": map[string]any{"statuses": []string{}},
		"servers":     list,
	})
}

func (x *exchange) frontPage() {
	x.w.Header().Set("Content-Type", "text/html")
	io.WriteString(x.w, "<!DOCTYPE html>\n<html><body>\n"+
		"<td class=\"service-version\">tahoe-lafs/1.19.0</td>\n"+
		"<footer><p class=\"minutia\">Page rendered at <span>2026-01-01 00:00:00</span></p>\n"+
		"<p class=\"minutia\">tahoe-lafs/1.20.0</p>\n</footer></body></html>\n")
}

func (x *exchange) json(status int, v any) {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	x.w.Header().Set("Content-Type", "text/plain")
	x.w.WriteHeader(status)
	x.w.Write(append(text, '\n'))
}

// check answers t=check.
func (x *exchange) check() {
	g, c := x.g, x.cap
	q := x.r.URL.Query()
	on := func(name string) bool { return strings.EqualFold(q.Get(name), "true") }
	switch {
	case c.IsZero() || !c.CanRead():
		x.notAllowed()
		return
	case index(c) == "": // a literal
		x.json(http.StatusOK, map[string]any{"storage-index": "", "results": map[string]any{"healthy": true}})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s, leases := shares{}, new(int)
	enc := g.encoding
	if f := g.files[index(c)]; f != nil {
		s, leases, enc = f.shares, &f.leases, f.encoding
	} else if d := g.dirs[index(c)]; d != nil {
		s, leases, enc = d.shares, &d.leases, d.encoding
	}
	if on("add-lease") && len(g.reachable(s)) > 0 {
		*leases++
	}
	before := g.results(c, s, enc, on("verify"))
	if !on("repair") {
		x.json(http.StatusOK, before)
		return
	}
	if !c.IsMutable() && !before.Results.Recoverable {
		x.tooFewShares(before.Results.Good, enc.needed)
		return
	}
	attempted, successful := false, false
	if !before.Results.Healthy {
		attempted = true
		successful = g.repair(c, s, before.Results.Recoverable)
	}
	x.json(http.StatusOK, map[string]any{
		"storage-index":       index(c),
		"repair-attempted":    attempted,
		"repair-successful":   successful,
		"pre-repair-results":  before,
		"post-repair-results": g.results(c, s, enc, on("verify")),
	})
}

// repair makes missing shares. Corrupt ones it replaces only of mutable objects.
func (g *Gateway) repair(c tahoeclient.Cap, s shares, recoverable bool) bool {
	if !recoverable || g.servers.connected == 0 {
		return false
	}
	if c.IsMutable() {
		clear(s)
	}
	g.place(s)
	return g.good(s) == len(s)
}

type checkResult struct {
	StorageIndex string       `json:"storage-index"`
	Summary      string       `json:"summary"`
	Results      checkResults `json:"results"`
}

type checkResults struct {
	Happiness     int                 `json:"count-happiness"`
	Good          int                 `json:"count-shares-good"`
	Needed        int                 `json:"count-shares-needed"`
	Expected      int                 `json:"count-shares-expected"`
	Hosts         int                 `json:"count-good-share-hosts"`
	CorruptCount  int                 `json:"count-corrupt-shares"`
	Corrupt       [][3]any            `json:"list-corrupt-shares"`
	Responding    []string            `json:"servers-responding"`
	ShareMap      map[string][]string `json:"sharemap"`
	Wrong         int                 `json:"count-wrong-shares"`
	Recoverables  int                 `json:"count-recoverable-versions"`
	Unrecoverable int                 `json:"count-unrecoverable-versions"`
	Healthy       bool                `json:"healthy"`
	Recoverable   bool                `json:"recoverable"`
}

func (g *Gateway) results(c tahoeclient.Cap, s shares, enc encoding, verify bool) checkResult {
	r := checkResults{
		Needed:     enc.needed,
		Expected:   enc.total,
		Corrupt:    [][3]any{},
		Responding: []string{},
		ShareMap:   map[string][]string{},
	}
	for n := range g.servers.connected {
		r.Responding = append(r.Responding, serverID(n))
	}
	hosts := map[int]bool{}
	for _, share := range g.reachable(s) {
		p := s[share]
		if verify && p.corrupt {
			r.CorruptCount++
			r.Corrupt = append(r.Corrupt, [3]any{serverID(p.server), index(c), share})
			continue
		}
		r.Good++
		hosts[p.server] = true
		key := fmt.Sprint(share)
		if c.IsMutable() {
			key = fmt.Sprintf("seq1-abcd-sh%d", share)
		}
		r.ShareMap[key] = []string{serverID(p.server)}
	}
	r.Hosts, r.Happiness = len(hosts), len(hosts) // each share is on one server
	r.Recoverable = r.Good >= enc.needed
	r.Healthy = r.Good >= enc.total
	if r.Recoverable {
		r.Recoverables = 1
	} else if r.Good > 0 || !c.IsMutable() {
		r.Unrecoverable = 1
	}
	summary := "Healthy"
	if !r.Healthy {
		summary = fmt.Sprintf("Not Healthy: %d shares (enc %d-of-%d)", r.Good, enc.needed, enc.total)
	}
	return checkResult{index(c), summary, r}
}
