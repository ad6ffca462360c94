package tahoeclient

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// statusTimeout bounds questions that the gateway answers from memory.
const statusTimeout = 10 * time.Second

// GridStatus is what the gateway knows of its grid at one moment.
type GridStatus struct {
	Introducers []string // one line of text for each
	Servers     []Server // all known ones, connected or not
}

// Server is one storage server, as the gateway sees it.
type Server struct {
	ID       string // "v0-" and its public key
	Nickname string // chosen by its operator: not to be trusted
	Status   string // the gateway's words; they may tell its address
	Version  string // empty until it was connected once

	// AvailableSpace in bytes, at the moment of connecting. 0 means full or
	// read-only, -1 unknown.
	AvailableSpace int64

	LastReceived time.Time // on this connection; zero if there is none
	Connected    bool      // connected and ready for requests

	// Silent is a connected server of which nothing was heard for longer than
	// Options.SilentAfter. It hangs, or its line does; the gateway waits for
	// it until it gives the connection up.
	Silent bool
}

// Usable counts the servers that are connected, ready and not silent.
func (g GridStatus) Usable() int {
	n := 0
	for _, s := range g.Servers {
		if s.Connected && !s.Silent {
			n++
		}
	}
	return n
}

// Grid asks the gateway which servers it is connected to. It asks once and
// waits only briefly: call it again to wait for servers.
func (c *Client) Grid(ctx context.Context) (GridStatus, error) {
	const op = "asking for the state of the grid"
	data, err := c.status(ctx, op, root(url.Values{"t": {"json"}}))
	if err != nil {
		return GridStatus{}, err
	}
	g, err := parseGrid(op, data)
	for i := range g.Servers {
		s := &g.Servers[i]
		s.Silent = s.Connected && !s.LastReceived.IsZero() && time.Since(s.LastReceived) > c.o.SilentAfter
	}
	return g, err
}

// allThere reports whether all servers of the grid can be used.
func (c *Client) allThere(ctx context.Context) bool {
	grid, err := c.Grid(ctx)
	known := len(grid.Servers)
	return err == nil && known >= max(c.o.Servers, 1) && grid.Usable() == known
}

func (c *Client) status(ctx context.Context, op string, at *url.URL) ([]byte, error) {
	r := request{op: op, method: http.MethodGet, url: at}
	bound := min(statusTimeout, c.o.RequestTimeout)
	return c.callWithin(ctx, r, nil, maxJSON, bound, bound)
}

// parseGrid takes every single fact of a server as it comes: some are the
// server's own words, and one odd server must not hide the others.
func parseGrid(op string, data []byte) (GridStatus, error) {
	var answer struct {
		Introducers struct {
			Statuses []string `json:"statuses"`
		} `json:"introducers"`
		Servers []map[string]any `json:"servers"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return GridStatus{}, nonsense(op, "not the state of a grid")
	}
	var g GridStatus
	for _, s := range answer.Introducers.Statuses {
		g.Introducers = append(g.Introducers, word(s))
	}
	for _, facts := range answer.Servers {
		s := Server{
			ID:             word(facts["nodeid"]),
			Nickname:       word(facts["nickname"]),
			Version:        word(facts["version"]),
			AvailableSpace: -1,
		}
		status := word(facts["connection_status"])
		s.Status = status
		// The text says Connected a moment before requests work, and the
		// version stays after a disconnection: both must hold.
		s.Connected = facts["version"] != nil &&
			(strings.HasPrefix(status, "Connected") || strings.HasPrefix(status, "connected"))
		if space, ok := facts["available_space"].(float64); ok && space >= 0 && space < 1<<62 {
			s.AvailableSpace = int64(space)
		}
		if t, ok := facts["last_received_data"].(float64); ok && t > 0 && t < 1<<40 {
			sec, frac := math.Modf(t)
			s.LastReceived = time.Unix(int64(sec), int64(frac*1e9))
		}
		g.Servers = append(g.Servers, s)
	}
	return g, nil
}

// word returns a text of bounded length that is safe to print; empty if v is
// no text.
func word(v any) string {
	s, _ := v.(string)
	return cut(printable(s), 200)
}

// ownVersion is in the last lines of the front page. Texts of servers also
// stand on that page, but escaped, so none can look like this.
var ownVersion = regexp.MustCompile(`<p class="minutia"[^>]*>\s*([A-Za-z][A-Za-z-]*/[0-9][0-9A-Za-z.+-]{0,80})\s*</p>`)

// Version returns what the gateway says it is, "tahoe-lafs/1.20.0".
func (c *Client) Version(ctx context.Context) (string, error) {
	const op = "asking for the gateway's version"
	page, err := c.status(ctx, op, root(nil)) // only the page tells it
	if err != nil {
		return "", err
	}
	m := ownVersion.FindSubmatch(page)
	if m == nil {
		return "", nonsense(op, "a page without a version")
	}
	return string(m[1]), nil
}
