package tahoetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"hiddenbackup/tahoeclient"
)

// file is one immutable file.
type file struct {
	cap      tahoeclient.Cap
	data     []byte
	shares   shares
	encoding encoding
	leases   int
}

const literalLimit = 55

func (x *exchange) put() {
	if x.r.URL.RawQuery != "" {
		x.plain(http.StatusBadRequest, "this gateway stores immutable files only")
		return
	}
	if len(x.body) <= literalLimit {
		io.WriteString(x.w, "URI:LIT:"+base32Lower.EncodeToString(x.body))
		return
	}
	g := x.g
	g.mu.Lock()
	enc := g.encoding
	g.mu.Unlock()
	key := g.hash("key", enc, x.body)[:16]
	root := g.hash("root", enc, x.body)

	g.mu.Lock()
	defer g.mu.Unlock()
	connected := g.servers.connected
	if connected == 0 {
		x.traceback("allmydata.interfaces.NoServersError: client gave us zero servers")
		return
	}
	if connected < enc.happy {
		x.traceback(fmt.Sprintf("allmydata.interfaces.UploadUnhappinessError: server selection failed for "+
			"<Tahoe2ServerSelector for upload b'abcde'>: shares could be placed or found on only %d server(s). "+
			"We were asked to place shares on at least %d server(s) such that any %d of them have enough "+
			"shares to recover the file.", connected, enc.happy, enc.needed))
		return
	}
	text := fmt.Sprintf("URI:CHK:%s:%s:%d:%d:%d", base32Lower.EncodeToString(key),
		base32Lower.EncodeToString(root), enc.needed, enc.total, len(x.body))
	c, err := tahoeclient.ParseCap(text)
	if err != nil {
		panic(err)
	}
	f := g.files[index(c)]
	if f == nil {
		f = &file{cap: c, data: x.body, shares: shares{}, encoding: enc}
		g.files[index(c)] = f
	}
	g.place(f.shares)
	f.leases++
	io.WriteString(x.w, text)
}

// hash depends on the gateway's secret and encoding, like convergence does.
func (g *Gateway) hash(label string, enc encoding, data []byte) []byte {
	h := hmac.New(sha256.New, g.secret)
	fmt.Fprintf(h, "%s %v ", label, enc)
	h.Write(data)
	return h.Sum(nil)
}

func (x *exchange) get(r *rule) {
	data, ok := x.content()
	if !ok {
		return
	}
	h := x.w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Accept-Ranges", "bytes")
	status := http.StatusOK
	if first, last, ok := parseRange(x.r.Header.Get("Range"), int64(len(data))); ok {
		if first >= int64(len(data)) {
			x.plain(http.StatusRequestedRangeNotSatisfiable, "First beyond end of file")
			return
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
		data = data[first : last+1]
		status = http.StatusPartialContent
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	x.w.WriteHeader(status)
	if r != nil && r.torn && r.cutAt < int64(len(data)) {
		x.sendTorn(r, data)
		return
	}
	x.w.Write(data)
}

// content returns the file that is asked for, or answers why not.
func (x *exchange) content() ([]byte, bool) {
	g := x.g
	if x.cap.Kind() == tahoeclient.KindLIT {
		data, _ := base32Lower.DecodeString(strings.TrimPrefix(x.text, "URI:LIT:"))
		return data, true
	}
	if x.cap.Kind() != tahoeclient.KindCHK {
		x.plain(http.StatusBadRequest, unknownURI)
		return nil, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	needed, _, _ := x.cap.Encoding()
	f := g.files[index(x.cap)]
	good := 0
	// The rest of the capability is checked as well: it must be all right to
	// find anything.
	if f != nil && f.cap == x.cap {
		good = g.good(f.shares)
	}
	if good < needed {
		x.tooFewShares(good, needed)
		return nil, false
	}
	return f.data, true
}

// tooFewShares answers that a file cannot be read.
func (x *exchange) tooFewShares(good, needed int) {
	if good == 0 {
		x.plain(http.StatusGone, "NoSharesError: no shares could be found. Zero shares usually indicates a corrupt "+
			"URI, or that no servers were connected, but it might also indicate severe corruption. You should "+
			"perform a filecheck on this object to learn more.\n\nThe full error message is:\n"+
			fmt.Sprintf("no shares (need %d). Last failure: None", needed))
		return
	}
	x.plain(http.StatusGone, "NotEnoughSharesError: This indicates that some servers were unavailable, or that "+
		"shares have been lost to server departure, hard drive failure, or disk corruption. You should "+
		"perform a filecheck on this object to learn more.\n\nThe full error message is:\n"+
		fmt.Sprintf("ran out of shares: complete= pending=Share(sh0-on-abcdefgh) overdue= unused= need %d. Last failure: None", needed))
}

const unknownURI = "GET unknown URI type: can only do t=info and t=json, not t=.\n" +
	"Using a webapi server that supports a later version of Tahoe may help."

// parseRange reads the first range, as Tahoe does; what it cannot read, it
// ignores.
func parseRange(header string, size int64) (first, last int64, ok bool) {
	text, found := strings.CutPrefix(header, "bytes=")
	if !found {
		return 0, 0, false
	}
	text, _, _ = strings.Cut(text, ",")
	a, b, found := strings.Cut(strings.TrimSpace(text), "-")
	if !found {
		return 0, 0, false
	}
	var err1, err2 error
	last = size - 1
	if a == "" {
		var n int64
		n, err2 = strconv.ParseInt(b, 10, 64)
		first = max(size-n, 0)
	} else {
		first, err1 = strconv.ParseInt(a, 10, 64)
		if b != "" {
			last, err2 = strconv.ParseInt(b, 10, 64)
		}
	}
	if err1 != nil || err2 != nil || (last < first && first < size) {
		return 0, 0, false
	}
	return first, min(last, size-1), true
}
